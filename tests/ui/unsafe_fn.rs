use reedbed::remote_module;

#[remote_module]
mod m {
    pub unsafe fn unchecked(index: usize) -> usize {
        index
    }

    pub extern "C" fn foreign(index: usize) -> usize {
        index
    }
}

fn main() {}
