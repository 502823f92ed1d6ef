use reedbed::remote_module;

#[remote_module]
mod m {
    pub fn tuple((x, y): (u32, u32)) -> u32 {
        x + y
    }

    pub fn unnamed(_: u32) {}

    pub fn by_reference(ref name: String) -> usize {
        name.len()
    }
}

fn main() {}
