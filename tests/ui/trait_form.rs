use reedbed::remote_module;

#[remote_module]
pub trait Service {
    fn run(&self);
}

fn main() {}
