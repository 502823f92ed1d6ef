use reedbed::{Bundle, Tensor1};

#[derive(Bundle)]
#[serde(rename_all = "camelCase")]
struct Renamed {
    #[ndarray]
    values: Tensor1<u8>,
    #[serde(skip)]
    n: usize,
}

fn main() {}
