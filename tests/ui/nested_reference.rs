use reedbed::remote_module;

#[remote_module]
mod m {
    pub fn optional(name: Option<&str>) -> usize {
        name.map_or(0, str::len)
    }

    pub fn several(names: &[&str]) -> usize {
        names.len()
    }
}

fn main() {}
