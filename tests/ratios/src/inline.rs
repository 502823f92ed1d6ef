//! Whether small arrays travel faster in the frame or by handle.
//!
//! An array of the heap travels in the frame up to 2 KiB if it is lent, up to 4 KiB if it is returned
//! (`channel/inline.rs`), and is copied to shared memory above. A tensor travels by handle, whatever its
//! size. So an array is compared with the same array that the program itself copies to a tensor first: up
//! to the threshold, that is the frame against the handle; above, the handle against itself, which tells
//! how far the rows can be believed.

use std::fmt::{self, Display, Formatter};
use std::time::Instant;

use clap::Args;
use reedbed::Tensor;
use reedbed::blocking::Worker;
use reedbed::ndarray::{Array1, Ix1};

use crate::Outcome;
use crate::ratio::{Ratios, median};
use crate::served::arrays::BlockingClient;

/// Of arrays, in bytes.
const SIZES: [usize; 11] = [
    64, 256, 1024, 2048, 4096, 8192, 12288, 16384, 20480, 32768, 65536,
];

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How often each pair takes its turns
    #[arg(long, default_value_t = 61, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The calls of a turn, of which the median counts
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
}

/// Measures arguments and results of all sizes, round by round, and prints the ratios.
pub(crate) fn compare(options: &Options) -> Outcome {
    let worker = Worker::spawn_self()?;
    let client: BlockingClient = worker.import()?;
    let arrays = SIZES.map(|size| Array1::from_elem(size / size_of::<u64>(), 1));
    let mut arguments = SIZES.map(|_| Pairs::default());
    let mut results = arguments.clone();
    // The first round finds nothing in place.
    for round in 0..=options.rounds {
        for (at, array) in arrays.iter().enumerate() {
            let [mut lent, mut returned] = [[0.0; 2]; 2];
            // Both orders, so that nobody is always the second.
            for turn in [round % 2, 1 - round % 2] {
                let is_tensor = turn == 1;
                lent[turn as usize] =
                    turn_of(options.calls, || argument(&client, array, is_tensor))?;
                returned[turn as usize] =
                    turn_of(options.calls, || result(&client, array, is_tensor))?;
            }
            if round > 0 {
                arguments[at].add(lent);
                results[at].add(returned);
            }
        }
    }
    println!(
        "an array of the heap against a tensor; median of {} rounds, and middle half",
        options.rounds
    );
    println!("{:>5}    {:<44}  result", "bytes", "argument");
    for ((size, lent), returned) in SIZES.iter().zip(arguments).zip(results) {
        println!("{size:5}    {:<44}  {returned}", lent.to_string());
    }
    Ok(())
}

/// What both ways took in each round.
#[derive(Clone, Debug, Default)]
struct Pairs {
    ratios: Ratios,
    arrays: Vec<f64>,
    tensors: Vec<f64>,
}

impl Pairs {
    fn add(&mut self, [array, tensor]: [f64; 2]) {
        self.ratios.add(array, tensor);
        self.arrays.push(array);
        self.tensors.push(tensor);
    }
}

impl Display for Pairs {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let [array, tensor] =
            [&self.arrays, &self.tensors].map(|times| median(&mut times.clone()) / 1000.0);
        write!(out, "{}, {array:.2} µs against {tensor:.2}", self.ratios)
    }
}

/// Makes the calls of a turn; returns the median, in nanoseconds.
fn turn_of(n_calls: u32, mut call: impl FnMut() -> Outcome) -> Outcome<f64> {
    let times = (0..n_calls).map(|_| {
        let since = Instant::now();
        call()?;
        Ok(since.elapsed().as_nanos() as f64)
    });
    Ok(median(&mut times.collect::<Outcome<Vec<f64>>>()?))
}

/// Has the worker read all of an array.
fn argument(client: &BlockingClient, array: &Array1<u64>, is_tensor: bool) -> Outcome {
    let sum = if is_tensor {
        client.sum(&Tensor::copy_of(array)?)?
    } else {
        client.sum(array)?
    };
    check(sum, array)
}

/// Reads all of an array that the worker made.
fn result(client: &BlockingClient, array: &Array1<u64>, is_tensor: bool) -> Outcome {
    let made: Tensor<u64, Ix1> = if is_tensor {
        client.in_segment(array.len())?
    } else {
        client.in_heap(array.len())?
    };
    check(made.view()?.sum(), array)
}

fn check(sum: u64, array: &Array1<u64>) -> Outcome {
    if sum == array.len() as u64 {
        return Ok(());
    }
    Err(format!("{sum} is not the sum of {} ones", array.len()).into())
}
