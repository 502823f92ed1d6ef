use reedbed::{Bundle, Tensor1, remote_module};

#[derive(Bundle)]
pub struct Owned {
    #[ndarray]
    values: Tensor1<u8>,
}

#[remote_module]
mod m {
    use super::*;

    pub fn take(owned: Owned) -> usize {
        owned.values.len()
    }

    pub fn inside() -> Vec<Owned> {
        Vec::new()
    }
}

fn main() {}
