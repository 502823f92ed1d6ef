//! Calls a compressor that it knows by its interface alone.

use isolated_interface::{BlockingCompressorClient, Settings};
use reedbed::Tensor;
use reedbed::blocking::Worker;
use reedbed::ndarray::Array1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::spawn(reedbed::program_beside("isolated-worker")?)?;
    let compressor = worker.import::<BlockingCompressorClient>()?;
    println!("{}", compressor.library()?);

    let settings = |level| Settings {
        level,
        n_smoothed: 4,
    };
    let best = compressor.new(settings(9))?;
    let bytes = Tensor::from(Array1::from_iter((0..100_000u32).map(|n| (n / 100) as u8)));
    let compressed = best.compress(&bytes)?.view()?.to_vec();
    println!("{:?}", String::from_utf8_lossy(&compressed[..4]));
    println!("{}", compressed.len() < 2_000);
    println!("{}", compressor.new(settings(10)).unwrap_err());
    Ok(())
}
