use reedbed::remote_module;

#[remote_module(name = "other")]
mod m {
    pub fn run() {}
}

fn main() {
    m::run();
}
