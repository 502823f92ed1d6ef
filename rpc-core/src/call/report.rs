//! What of a call was shared, and what was copied, and why.

/// The arrays of one call: how many bytes crossed by handle, and how many were copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes of arrays that both processes used in place.
    pub shared_bytes: u64,
    /// Bytes that were copied, there and back, on either side.
    pub copied_bytes: u64,
    /// Each copy, with its reason.
    pub copies: Vec<Copy>,
}

/// A copy that a call made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The argument; `None` for what was returned.
    pub argument: Option<String>,
    /// The bytes.
    pub size_bytes: u64,
    /// Why they were copied.
    pub reason: CopyReason,
}

/// Why bytes of an array were copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CopyReason {
    /// An ordinary array was passed: copied into a segment.
    #[error("an array of the heap was passed; make it a `Tensor` to share it")]
    HeapArgument,
    /// An ordinary array was passed for writing: copied back out of a segment.
    #[error("an array of the heap was passed for writing; make it a `Tensor` to share it")]
    HeapResult,
    /// The function returned an ordinary array: copied into a segment by the worker.
    #[error("the function returned an array of the heap; have it return a `Tensor` to share it")]
    HeapReturned,
    /// A tensor lies in memory of another kind than the worker's: copied into one, and back if it
    /// was passed for writing.
    #[error(
        "it lies in memory of another kind than the worker's (memfds, or named segments); make it \
         after `reedbed::set_segments`, or start the worker with `WorkerBuilder::segments`"
    )]
    OtherSegments,
    /// The worker isn't [trusted](crate::Trust), and an array that it reads lies among what it must not
    /// see, or where it could write it: copied into a guarded segment.
    #[error(
        "the worker isn't trusted, and the tensor wasn't made for it; make it with `Worker::tensor` or \
         `Worker::zeros`"
    )]
    UntrustedReader,
    /// The worker isn't [trusted](crate::Trust), and writes an array: copied into a segment that nothing
    /// of the host's lies in, and, if it was passed for writing, back.
    #[error("the worker isn't trusted, so what it may write is a copy")]
    UntrustedWriter,
    /// The worker isn't [trusted](crate::Trust), and returned an array: copied out of memory that it
    /// may go on writing.
    #[error("the worker isn't trusted, so what it returns is copied out of its memory")]
    UntrustedResult,
    /// A tensor was made for a worker that isn't [trusted](crate::Trust), in memory that no other process
    /// can write, and another worker was to write it: copied, and back if it was passed for writing.
    #[error(
        "it was made for an untrusted worker, so no other process can write it; make it with \
         `Tensor::zeros` or the like"
    )]
    Guarded,
}

impl Report {
    pub(crate) fn copied(&mut self, argument: Option<&str>, size_bytes: u64, reason: CopyReason) {
        // A worker says how much it copied, and it may say anything.
        self.copied_bytes = self.copied_bytes.saturating_add(size_bytes);
        self.copies.push(Copy {
            argument: argument.map(str::to_owned),
            size_bytes,
            reason,
        });
    }
}
