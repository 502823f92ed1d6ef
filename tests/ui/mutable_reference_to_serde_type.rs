use reedbed::remote_module;

#[remote_module]
mod m {
    pub fn append(names: &mut Vec<String>) {
        names.push(String::new());
    }
}

fn main() {}
