use ndarray::{Array1, Ix1};
use reedbed::Tensor;

fn main() {
    let mut tensor: Tensor<u8, Ix1> = Tensor::from(Array1::zeros(3));
    let view = tensor.view().unwrap();
    tensor.view_mut().unwrap().fill(1);
    println!("{view}");
}
