use reedbed::remote_module;

#[remote_module]
pub trait Nuclei {
    fn new(threshold: u16) -> Self;
    fn count(&self, bytes: Vec<u8>) -> usize;
}

pub struct Mine(std::rc::Rc<u16>);

impl Nuclei for Mine {
    fn new(threshold: u16) -> Self {
        Self(threshold.into())
    }

    fn count(&self, bytes: Vec<u16>) -> usize {
        bytes.len()
    }
}

fn main() {}
