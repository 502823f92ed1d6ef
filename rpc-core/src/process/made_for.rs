//! Memory that is made for one worker, so that it needn't be copied for it later.

use ndarray::{ArrayRef, Dimension, IntoDimension};

use super::worker::Worker;
use crate::segment::{Atomic, SharedCell, SharedCells, ShmExhausted};
use crate::tensor::{Element, Home, Tensor};
use crate::wire::handshake::Trust;

/// # Memory for this worker
///
/// A worker that isn't trusted is never shown memory where anything else lies. So a tensor is copied
/// before it is lent to such a worker, unless it was made by these functions: then it lies in a
/// segment of its own, which the worker may read and nobody but this process can ever write, and it
/// is lent without a copy as often as one likes (to other workers as well). The worker may look at
/// all of it, whatever slice it is lent.
///
/// For a trusted worker they are [`Tensor::zeros`], [`Tensor::copy_of`] and so on.
impl Worker {
    /// Returns how far the worker is trusted.
    #[must_use]
    pub fn trust(&self) -> Trust {
        match self.home() {
            Home::Common(_) => Trust::Trusted,
            Home::For(_) => Trust::Untrusted,
        }
    }

    /// Makes a tensor of zeros, to be filled here and lent to this worker without a copy.
    ///
    /// ```
    /// # use reedbed::{ChannelKind, Dispatcher, Trust, Worker, remote_module};
    /// # #[remote_module]
    /// # mod statistics {
    /// #     use reedbed::ndarray::ArrayView2;
    /// #     pub fn sum(#[ndarray] values: ArrayView2<'_, f32>) -> f32 { values.sum() }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
    /// # let modules = [statistics::MODULE];
    /// # let (dispatcher, channel) = (Dispatcher::default(), ChannelKind::default());
    /// # let worker = Worker::in_process_with_trust(&modules, Trust::Untrusted, dispatcher, channel).await?;
    /// let statistics = worker.import::<statistics::Client>().await?;
    /// let mut image = worker.zeros::<f32, _>((512, 512))?;
    /// image.view_mut()?.fill(0.5); // or decode a file straight into it
    /// let (sum, report) = statistics.sum(&image).reported().await?;
    /// assert_eq!((sum, report.copied_bytes), (131_072.0, 0));
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn zeros<A: Element, S: IntoDimension>(
        &self,
        shape: S,
    ) -> Result<Tensor<A, S::Dim>, ShmExhausted> {
        Tensor::zeros_in(self.home(), shape.into_dimension())
    }

    /// Copies an array or a view into a tensor, in row-major order, to be lent to this worker without
    /// another copy.
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn tensor<A: Element, D: Dimension>(
        &self,
        array: &ArrayRef<A, D>,
    ) -> Result<Tensor<A, D>, ShmExhausted> {
        Tensor::copy_in(self.home(), array)
    }

    /// Takes a place in shared memory for a value that this worker uses at the same time. One that
    /// isn't trusted may write anything there at any time; it uses cells that were made for workers
    /// that aren't, which lie on pages of their own, and no others.
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn cell<T: Atomic>(&self, value: T) -> Result<SharedCell<T>, ShmExhausted> {
        SharedCell::new_in(self.home(), value)
    }

    /// As [`cell`](Self::cell), for `n` values, all zero (`false`).
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn cells<T: Atomic>(&self, n: usize) -> Result<SharedCells<T>, ShmExhausted> {
        SharedCells::zeroed_in(self.home(), n)
    }

    fn home(&self) -> Home {
        self.post().connection().exchange().channel().home()
    }
}
