use ndarray::ArrayView1;
use reedbed::remote_module;

#[remote_module]
mod m {
    use super::*;

    pub fn array(#[ndarray] line: ArrayView1<'static, u8>) -> usize {
        line.len()
    }

    pub fn text(text: &'static str) -> usize {
        text.len()
    }
}

fn main() {}
