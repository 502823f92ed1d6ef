use reedbed::remote_module;

struct Counter;

#[remote_module]
impl Default for Counter {
    fn default() -> Self {
        Self
    }
}

fn main() {}
