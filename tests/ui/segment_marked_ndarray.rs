use ndarray::ArrayView1;
use reedbed::{SegmentView, remote_module};

#[remote_module]
mod m {
    use super::*;

    pub fn swapped(#[ndarray] raw: SegmentView<'_>, #[segment] line: ArrayView1<'_, u8>) {
        drop((raw, line));
    }
}

fn main() {}
