use reedbed::remote_module;

struct Service;

#[remote_module]
impl Service {
    pub fn run(&self) {}
}

fn main() {}
