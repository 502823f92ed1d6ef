use reedbed::remote_module;

#[remote_module]
mod m {
    pub fn exit() -> ! {
        std::process::exit(0)
    }
}

fn main() {}
