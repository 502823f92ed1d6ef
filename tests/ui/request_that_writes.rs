//! What is repeated can't be lent for writing, nor given away.

use reedbed::ndarray::{ArrayViewMut1, Ix1};
use reedbed::{Request, Tensor, remote_module};

#[remote_module]
mod filters {
    use super::*;

    pub fn invert(#[ndarray] _samples: ArrayViewMut1<'_, i32>) {}

    pub fn take(#[ndarray] _samples: Tensor<i32, Ix1>) {}
}

fn invert(samples: Tensor<i32, Ix1>) -> Request<filters::Client, ()> {
    Request::lending(samples, |client: &filters::Client, samples| {
        client.invert(samples)
    })
}

fn invert_what_is_kept(mut samples: Tensor<i32, Ix1>) -> Request<filters::Client, ()> {
    Request::new(move |client: &filters::Client| client.invert(&mut samples))
}

fn take(samples: Tensor<i32, Ix1>) -> Request<filters::Client, ()> {
    Request::new(move |client: &filters::Client| client.take(samples))
}

fn main() {}
