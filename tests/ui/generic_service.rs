use reedbed::remote_module;

struct Keeper<T>(T);

#[remote_module]
impl<T: Clone> Keeper<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }
}

#[remote_module]
impl Keeper<u8> {
    pub fn of_byte(value: u8) -> Self {
        Self(value)
    }
}

fn main() {}
