use reedbed::remote_module;

struct Counter(u64);

#[remote_module]
impl Counter {
    pub fn total(&self) -> u64 {
        self.0
    }
}

fn main() {
    Counter(0).total();
}
