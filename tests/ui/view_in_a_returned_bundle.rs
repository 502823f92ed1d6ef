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

    #[returns(ndarray)]
    pub fn forever() -> Lent<'static> {
        unreachable!("it doesn't compile")
    }
}

fn main() {}
