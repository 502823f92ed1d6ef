//! A large image, passed to a worker by a call that copies it and by one that doesn't.
//!
//! Both calls begin with the same tensor in this process and end with the same sum of its pixels,
//! and both workers add them up in about the same time. What differs is how the pixels get there.

mod copying;
mod pss;
mod tiles;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use ndarray::Ix2;
use reedbed::Tensor;
use segmentation::copying::MAX_BYTES;

use copying::{CopyingWorker, PixelBytes};

use crate::cli::Mosaic;
use crate::lane::Lane;
use crate::size::Size;
use crate::{Failure, IsComplete, programs, text};

/// The smallest mosaic.
const MIN_BYTES: u64 = 1024;
/// What the copying call needs, in mosaics. At its peak there are four: the mosaic, the request as it
/// is encoded, and the ends of it that are being written and read. One more is to spare.
const COPIES: u64 = 5;

/// Why a mosaic isn't made.
#[derive(Debug, thiserror::Error)]
enum MosaicError {
    #[error("a mosaic of {} is too small; take {} or more", text::bytes(*.0), text::bytes(MIN_BYTES))]
    TooSmall(u64),
    #[error(
        "a mosaic of {} is too large for the copying call, whose messages end at 4 GiB; take 3GiB \
         or less",
        text::bytes(*.0)
    )]
    TooLarge(u64),
    #[error(
        "copying a mosaic of {} takes up to {} of memory, and {} are available; take a smaller one",
        text::bytes(*.size), text::bytes(*.size * COPIES), text::bytes(*.available)
    )]
    NoMemory { size: u64, available: u64 },
    #[error("the image has no pixels")]
    NoPixels,
}

/// What a call took.
struct Cost {
    first: Duration,
    warm: Duration,
    peak_bytes: u64,
    n_samples: usize,
    sum: u64,
}

pub(crate) fn run(plan: &Mosaic) -> Result<IsComplete, Failure> {
    let Size(size) = plan.size;
    check(size)?;
    let mosaic = Arc::new(tiles::lay(&plan.image, size)?);
    let (expected, alone) = timed(|| pixel_sum(&mosaic))?;
    println!(
        "mosaic    {} pixels of 16 bits, {}: {}, over and over",
        text::shape(mosaic.shape()),
        text::bytes(mosaic.size_bytes() as u64),
        text::path(&plan.image),
    );
    println!(
        "work      the sum of all pixels; {} in this process, without a call\n",
        text::time(alone)
    );

    print_row(
        "",
        ["first call", "warm call", "peak memory"].map(str::to_owned),
    );
    let copied = copying_cost(&mosaic)?;
    copied.print("copied (tarpc)");
    let (shared, message_bytes) = sharing_cost(&mosaic)?;
    shared.print("shared (Reedbed)");
    copied.print_ratio(&shared);
    println!(
        "\npeak      the most that host and worker occupied together (Pss, each page counted once),\n          \
         sampled in a third call: {} and {} samples",
        copied.n_samples, shared.n_samples
    );
    println!(
        "messages  Reedbed's warm call sent and received {}; the pixels weren't in them",
        text::bytes(message_bytes)
    );
    let is_right = copied.sum == expected && shared.sum == expected;
    println!("sums      {}", if is_right { "equal" } else { "DIFFERENT" });
    Ok(is_right)
}

/// Refuses what can't work, before any memory is taken.
fn check(size: u64) -> Result<(), MosaicError> {
    if size < MIN_BYTES {
        return Err(MosaicError::TooSmall(size));
    }
    if size > MAX_BYTES {
        return Err(MosaicError::TooLarge(size));
    }
    match pss::available_bytes() {
        Some(available) if available < size * COPIES => {
            Err(MosaicError::NoMemory { size, available })
        }
        _ => Ok(()),
    }
}

fn pixel_sum(mosaic: &Tensor<u16, Ix2>) -> Result<u64, Failure> {
    Ok(segmentation::nuclei::sum(mosaic.view()?))
}

/// Measures tarpc's call: the pixels are part of the request.
fn copying_cost(mosaic: &Arc<Tensor<u16, Ix2>>) -> Result<Cost, Failure> {
    let worker = CopyingWorker::start(&programs::copying_worker()?)?;
    let pixels = PixelBytes::of(mosaic)?;
    cost(worker.pid(), || Ok(worker.sum(pixels.clone())?))
}

/// Measures Reedbed's call: the pixels stay where they are. Also returns the bytes of the messages
/// of one call.
fn sharing_cost(mosaic: &Tensor<u16, Ix2>) -> Result<(Cost, u64), Failure> {
    let lane = block_on(Lane::start(&programs::worker()?, 1))?;
    let call = || Ok(lane.nuclei().sum(mosaic).forbid_copies().wait()?);
    let pid = lane.pid().ok_or("the worker isn't a process")?;
    let cost = cost(pid, call)?;
    let before = lane.message_bytes();
    call()?;
    let message_bytes = lane.message_bytes() - before;
    block_on(lane.stop());
    Ok((cost, message_bytes))
}

/// Calls thrice: a first time, warm, and with the memory being watched, which takes time itself.
fn cost(pid: u32, call: impl Fn() -> Result<u64, Failure>) -> Result<Cost, Failure> {
    let (_, first) = timed(&call)?;
    let (_, warm) = timed(&call)?;
    let (sum, peak) = pss::watch([std::process::id(), pid], call);
    Ok(Cost {
        first,
        warm,
        peak_bytes: peak.bytes,
        n_samples: peak.n_samples,
        sum: sum?,
    })
}

fn timed<T>(work: impl Fn() -> Result<T, Failure>) -> Result<(T, Duration), Failure> {
    let since = Instant::now();
    let value = work()?;
    Ok((value, since.elapsed()))
}

impl Cost {
    fn print(&self, name: &str) {
        let (first, warm) = (text::time(self.first), text::time(self.warm));
        print_row(name, [first, warm, text::bytes(self.peak_bytes)]);
    }

    fn print_ratio(&self, other: &Self) {
        let ratios = [
            self.first.as_secs_f64() / other.first.as_secs_f64(),
            self.warm.as_secs_f64() / other.warm.as_secs_f64(),
            self.peak_bytes as f64 / other.peak_bytes as f64,
        ];
        print_row(
            "ratio",
            ratios.map(|ratio| format!("{} x", text::three_digits(ratio))),
        );
    }
}

fn print_row(name: &str, [first, warm, peak]: [String; 3]) {
    println!("{name:<16} {first:>10}  {warm:>10}  {peak:>11}");
}
