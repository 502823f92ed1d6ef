use reedbed::remote_module;

struct Counter;

#[remote_module]
impl Counter {
    pub fn new() -> Self {
        Self
    }

    pub fn try_new() -> Option<Self> {
        None
    }
}

fn main() {}
