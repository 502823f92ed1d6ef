use reedbed::remote_module;

#[remote_module(nme = "other")]
mod misspelt {
    pub fn run() {}
}

#[remote_module(name = "two words")]
mod m {
    pub fn run() {}
}

fn main() {
    misspelt::run();
    m::run();
}
