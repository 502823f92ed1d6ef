use std::collections::VecDeque;
use std::rc::Rc;

use ndarray::{Array1, ArrayView1};
use reedbed::remote_module;

#[remote_module]
mod m {
    use super::*;

    pub fn takes(#[ndarray] lines: VecDeque<ArrayView1<'_, u16>>) -> usize {
        lines.len()
    }

    pub fn returns() -> Vec<Rc<Array1<u16>>> {
        Vec::new()
    }
}

fn main() {}
