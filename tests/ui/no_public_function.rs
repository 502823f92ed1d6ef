use reedbed::remote_module;

#[remote_module]
mod m {
    fn run(#[ndarray] line: ndarray::ArrayView1<'_, u8>) -> usize {
        line.len()
    }
}

fn main() {}
