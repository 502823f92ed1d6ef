use reedbed::remote_module;

#[remote_module]
mod m {
    pub struct Options;

    pub fn primitive(#[ndarray] size: usize) -> usize {
        size
    }

    pub fn list(#[ndarray] values: Vec<f64>, #[ndarray] slice: &[f64]) -> usize {
        values.len() + slice.len()
    }

    pub fn structure(#[ndarray] options: Options) {
        drop(options);
    }
}

fn main() {}
