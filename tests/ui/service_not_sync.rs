use std::cell::RefCell;

use reedbed::remote_module;

pub struct Counter(RefCell<u64>);

#[remote_module]
impl Counter {
    pub fn new() -> Self {
        Self(RefCell::new(0))
    }

    pub async fn other() -> Result<Self, String> {
        Ok(Self(RefCell::new(0)))
    }

    pub fn add(&self, n: u64) {
        *self.0.borrow_mut() += n;
    }
}

fn main() {}
