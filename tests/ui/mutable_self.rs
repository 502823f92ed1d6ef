use reedbed::remote_module;

struct Counter(u64);

#[remote_module]
impl Counter {
    pub fn new() -> Self {
        Self(0)
    }

    pub fn add(&mut self, n: u64) {
        self.0 += n;
    }
}

fn main() {}
