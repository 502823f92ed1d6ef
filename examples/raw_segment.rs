//! Bare memory: a run of bytes without shape or element type.
//!
//! Look at: a record that is no array (a header and samples) crosses without serde and without a
//! copy, and `as_slice` refuses what isn't aligned or doesn't come out even.
//!
//! `cargo run --bin raw_segment`

use reedbed::blocking::Worker;
use reedbed::{Segment, remote_module};

/// Where the samples begin; before that stands how many there are.
const HEADER_BYTES: usize = 8;

#[remote_module]
mod recorder {
    use reedbed::{AnyError, SegmentView, SegmentViewMut};

    use super::HEADER_BYTES;

    /// Writes a ramp of `n` samples and their number.
    pub fn record(#[segment] mut record: SegmentViewMut<'_>, n: u32) -> Result<(), AnyError> {
        let room = record.as_bytes().len().saturating_sub(HEADER_BYTES) / size_of::<u32>();
        if room < n as usize {
            return Err(AnyError::new(format!(
                "{n} samples don't fit, there is room for {room}"
            )));
        }
        let words = record.as_slice::<u32>()?;
        words[0] = n;
        words[HEADER_BYTES / size_of::<u32>()..]
            .iter_mut()
            .zip(0..n)
            .for_each(|(word, n)| *word = n);
        Ok(())
    }

    /// Adds the samples up.
    pub fn total(#[segment] record: SegmentView<'_>) -> Result<u64, AnyError> {
        let words = record.as_slice::<u32>()?;
        let samples = &words[HEADER_BYTES / size_of::<u32>()..];
        Ok(samples
            .iter()
            .take(words[0] as usize)
            .map(|sample| u64::from(*sample))
            .sum())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![recorder];
    let worker = Worker::spawn_self()?;
    let recorder: recorder::BlockingClient = worker.import()?;

    let mut record = Segment::zeroed(HEADER_BYTES + 1000 * size_of::<u32>())?;
    recorder.record(&mut record, 1000)?;
    println!("the host reads {} samples", record.as_slice::<u32>()?[0]);
    println!("the worker adds up {}", recorder.total(&record)?);
    assert_eq!(recorder.total(&record)?, 499_500);

    let refused = recorder.record(&mut record, 2000);
    println!("too many: {}", refused.expect_err("they don't fit"));
    println!(
        "as u128: {}",
        record
            .as_slice::<u128>()
            .expect_err("the bytes don't come out even")
    );

    // Give it a shape once it has one. Nothing is copied here either.
    let tensor = record.into_tensor::<u32, _>((2, 501)).expect("1002 words");
    assert_eq!(tensor.view()?[[1, 500]], 999);
    Ok(())
}
