use reedbed::remote_module;

#[remote_module]
mod m {
    type Labels = ndarray::Array2<u32>;

    #[returns(ndarray)]
    pub fn tuple() -> (String, usize) {
        (String::new(), 0)
    }

    #[returns(ndarray)]
    pub fn number() -> usize {
        0
    }

    #[returns(tensor)]
    pub fn other() -> Labels {
        Labels::zeros((1, 1))
    }

    /// An alias that the macro takes for a type that serde knows.
    pub fn forgotten() -> Labels {
        Labels::zeros((1, 1))
    }
}

fn main() {}
