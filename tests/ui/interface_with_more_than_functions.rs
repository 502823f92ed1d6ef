use reedbed::remote_module;

#[remote_module]
pub trait Nuclei<T>: Clone {
    type Error;

    const LIMIT: usize;

    fn count(&self) -> usize;
}

fn main() {}
