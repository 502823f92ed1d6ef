//! Exchanges arrays with a Python program that knows nothing of Reedbed.
//!
//! Look at: `export` makes a *named* segment, which `multiprocessing.shared_memory` attaches to; `open`
//! attaches to one that Python made. Each side unlinks what it made and nothing else:
//! `exchange.py` shows how to keep Python's resource tracker from unlinking what it attached to.
//!
//! `cargo run --package named_exchange -- path/to/python` (one that has NumPy; `python3` if it is
//! left out)

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use reedbed::{ForeignSegment, Tensor, Tensor2};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/exchange.py");

fn main() -> Result<(), Box<dyn Error>> {
    let python = std::env::args_os().nth(1);
    let python = python.unwrap_or_else(|| "python3".into());

    let image = Tensor2::from_shape_fn((300, 400), |(row, column)| (row * 400 + column) as f64)?;
    // A tensor lies in memory without a name; this copies it, once, to where Python can find it.
    let exported = ForeignSegment::export(image.tensor_view())?;
    println!("exported as {}", exported.name());

    let mut child = Command::new(python)
        .args([SCRIPT, exported.name(), "300", "400"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("a pipe")?).lines();
    let mut next_line = || {
        lines
            .next()
            .ok_or("Python ended early")?
            .map_err(Box::<dyn Error>::from)
    };

    let sum: f64 = next_line()?.parse()?;
    println!("Python sums it: {sum}");
    assert_eq!(sum, image.view()?.sum());

    let made = next_line()?;
    println!("Python made {made}");
    // A copy, because Python may go on writing its memory; the copy can be lent to workers.
    let doubled: Tensor2<f64> = ForeignSegment::open(&made)?.to_tensor((300, 400))?;
    assert_eq!(doubled.view()?, &image.view()? * 2.0);
    println!("its last element is {}", doubled.view()?[[299, 399]]);

    child.stdin.take().ok_or("a pipe")?.write_all(b"done\n")?;
    assert!(child.wait()?.success());
    let vanished = ForeignSegment::open(&made).expect_err("Python has unlinked it");
    println!("{vanished}");
    // What this program made is still there, though Python attached to it and has exited.
    let again: Tensor<f64, _> = ForeignSegment::open(exported.name())?.to_tensor((300, 400))?;
    assert_eq!(again.view()?, image.view()?);
    Ok(())
}
