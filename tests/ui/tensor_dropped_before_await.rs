use ndarray::{Array1, ArrayView1, ArrayViewMut1, Ix1};
use reedbed::{Tensor, remote_module};

#[remote_module]
mod m {
    use super::*;

    pub fn copy(#[ndarray] from: ArrayView1<'_, u8>, #[ndarray] mut to: ArrayViewMut1<'_, u8>) {
        to.assign(&from);
    }

    pub fn take(#[ndarray] tensor: Tensor<u8, Ix1>) -> Tensor<u8, Ix1> {
        tensor
    }
}

async fn calls(client: m::Client) {
    let mut to: Tensor<u8, Ix1> = Tensor::from(Array1::zeros(3));
    let call = {
        let from: Tensor<u8, Ix1> = Tensor::from(Array1::zeros(3));
        client.copy(&from, &mut to)
    };
    let _ = call.await;
}

fn main() {}
