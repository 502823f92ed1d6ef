//! Slices and strides: any view of a tensor travels, without a copy.
//!
//! Look at: rows, every second column, an image turned upside down and a transposed one all go by
//! offset and strides (`forbid_copies` would make a copy an error); two workers fill the two halves
//! of one array at once; and what would overlap is refused before anything is sent.
//!
//! `cargo run --bin slices`

use reedbed::ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use reedbed::{Tensor, Tensor2, Worker, remote_module};

#[remote_module]
mod stripes {
    use super::{ArrayView2, ArrayViewMut2};

    /// Describes what arrived.
    pub fn look(#[ndarray] image: ArrayView2<'_, i64>) -> String {
        format!(
            "first {:>2}, shape {:?}, strides {:?}",
            image[[0, 0]],
            image.shape(),
            image.strides()
        )
    }

    /// Fills a part of an image.
    pub fn fill(#[ndarray] mut part: ArrayViewMut2<'_, i64>, value: i64) {
        part.fill(value);
    }

    /// Keeps a part of an image until nobody waits any more.
    pub async fn keep(#[ndarray] part: ArrayViewMut2<'_, i64>) {
        let _kept = part;
        std::future::pending::<()>().await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![stripes];
    let worker = Worker::spawn_self().await?;
    let stripes = worker.import::<stripes::Client>().await?;

    let mut image = Tensor::from_shape_fn((4, 6), |(row, column)| (10 * row + column) as i64)?;
    let show = |name, seen: Result<String, _>| seen.map(|seen| println!("{name:<13} {seen}"));
    show("whole", stripes.look(&image).await)?;
    show("two rows", stripes.look(image.slice(s![1..3, ..])).await)?;
    let odd = image.slice(s![.., 1..;2]);
    show("odd columns", stripes.look(odd).await)?;
    let upside_down = image.slice(s![..;-1, ..]);
    show("upside down", stripes.look(upside_down).await)?;
    let transposed = image.tensor_view().reversed_axes();
    show("transposed", stripes.look(transposed).forbid_copies().await)?;
    let row = image.slice(s![2, ..]);
    let repeated = row.broadcast((3, 6)).expect("a row fits every row");
    show("one row, 3x", stripes.look(repeated).await)?;

    // Two exclusive borrows of disjoint halves, lent to two calls at a time.
    let worker = Worker::spawn_self().await?;
    let other = worker.import::<stripes::Client>().await?;
    let (top, bottom) = image.tensor_view_mut().split_at(Axis(0), 2);
    let (first, second) = tokio::join!(stripes.fill(top, 1), other.fill(bottom, 2));
    first?;
    second?;
    println!("two halves    {:?}", image.view()?.column(0).to_vec());
    assert_eq!(image.view()?.sum(), 12 + 24);

    // Left and right half are disjoint too, but their bytes interleave: one after the other, please.
    let mut square = Tensor2::<i64>::zeros((2, 2))?;
    let (left, right) = square.tensor_view_mut().split_at(Axis(1), 1);
    let refused = tokio::select! {
        biased;
        _ = stripes.keep(left) => panic!("it keeps what it was lent"),
        second = other.fill(right, 2) => second.expect_err("the first call holds these bytes"),
    };
    println!("interleaved   {refused:?}");
    Ok(())
}
