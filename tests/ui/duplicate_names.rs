use reedbed::remote_module;

#[remote_module]
mod m {
    #[cfg(any())]
    pub fn open(path: String) -> usize {
        path.len()
    }

    // With a `#[cfg(not(any()))]`, the two could not meet.
    pub fn open() {}
}

fn main() {}
