use ndarray::ArrayViewMut1;
use reedbed::{Bundle, remote_module};

#[derive(Bundle)]
pub struct Lent<'a> {
    #[ndarray]
    values: ArrayViewMut1<'a, u8>,
}

#[remote_module]
mod m {
    use super::*;

    pub fn give(#[ndarray] lent: Lent<'_>) -> Lent<'_> {
        lent
    }

    pub fn forever() -> Option<Lent<'static>> {
        None
    }
}

fn main() {}
