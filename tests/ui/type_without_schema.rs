use reedbed::remote_module;

#[remote_module]
mod m {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub struct Options {
        pub threshold: f64,
    }

    pub fn takes(options: Options) -> f64 {
        options.threshold
    }

    pub fn returns() -> Vec<Options> {
        Vec::new()
    }
}

fn main() {}
