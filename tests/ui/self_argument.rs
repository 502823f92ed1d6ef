use reedbed::remote_module;

#[remote_module]
mod m {
    pub fn method(&self, value: u8) -> u8 {
        value
    }
}

fn main() {}
