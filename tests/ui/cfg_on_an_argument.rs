use reedbed::remote_module;

#[remote_module]
mod m {
    pub fn run(#[cfg(unix)] _mode: u32) {}
}

fn main() {}
