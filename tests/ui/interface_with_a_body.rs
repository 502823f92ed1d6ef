use reedbed::remote_module;

#[remote_module]
pub trait Nuclei {
    fn version() -> String {
        "1".to_owned()
    }
}

fn main() {}
