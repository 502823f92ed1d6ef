use reedbed::remote_module;

struct Counter;

#[remote_module]
impl Counter {
    pub fn new() -> Self {
        Self
    }

    pub fn add(&self, other: &Self) {
        let _ = other;
    }

    pub fn merge(counters: Vec<Counter>) -> u64 {
        counters.len() as u64
    }
}

fn main() {}
