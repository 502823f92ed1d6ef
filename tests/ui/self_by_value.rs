use reedbed::remote_module;

struct Counter(u64);

#[remote_module]
impl Counter {
    pub fn new() -> Self {
        Self(0)
    }

    pub fn total(self) -> u64 {
        self.0
    }

    pub fn boxed(self: Box<Self>) -> u64 {
        self.0
    }
}

fn main() {}
