use reedbed::remote_module;

#[remote_module]
pub fn run() {}

fn main() {
    run();
}
