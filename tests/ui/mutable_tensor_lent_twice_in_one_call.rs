use ndarray::{Array1, ArrayView1, ArrayViewMut1, Ix1};
use reedbed::{Tensor, remote_module};

#[remote_module]
mod m {
    use super::*;

    pub fn copy(#[ndarray] from: ArrayView1<'_, u8>, #[ndarray] mut to: ArrayViewMut1<'_, u8>) {
        to.assign(&from);
    }

    pub fn fill(#[ndarray] mut a: ArrayViewMut1<'_, u8>, #[ndarray] mut b: ArrayViewMut1<'_, u8>) {
        a.fill(1);
        b.fill(2);
    }

    pub fn take(#[ndarray] tensor: Tensor<u8, Ix1>) -> Tensor<u8, Ix1> {
        tensor
    }
}

async fn calls(client: m::Client) {
    let mut tensor: Tensor<u8, Ix1> = Tensor::from(Array1::zeros(3));
    let _ = client.copy(&tensor, &mut tensor).await;
    let _ = client.fill(&mut tensor, &mut tensor).await;
}

fn main() {}
