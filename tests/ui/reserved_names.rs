use reedbed::remote_module;

#[remote_module]
mod m {
    pub struct Client;

    const MODULE: &str = "m";

    pub(crate) use std::string::String as BlockingClient;

    pub fn blocking(_value: BlockingClient) {}
}

fn main() {}
