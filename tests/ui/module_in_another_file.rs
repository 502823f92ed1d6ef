use reedbed::remote_module;

#[remote_module]
mod functions;

fn main() {}
