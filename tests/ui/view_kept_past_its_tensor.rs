use ndarray::{Array1, ArrayView1, Ix1};
use reedbed::Tensor;

fn view() -> ArrayView1<'static, u8> {
    let tensor: Tensor<u8, Ix1> = Tensor::from(Array1::zeros(3));
    tensor.view().unwrap()
}

fn main() {
    let view;
    {
        let tensor: Tensor<u8, Ix1> = Tensor::from(Array1::zeros(3));
        view = tensor.view().unwrap();
    }
    println!("{view} {}", self::view());
}
