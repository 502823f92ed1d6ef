//! What processes of their own do with named segments.

use std::error::Error;
use std::io::{Read, Write};

use reedbed::{ForeignSegment, Segments, Shortage, Tensor1};

use crate::modules::{arrays, control};

/// Where named segments lie.
pub const FOLDER: &str = "/dev/shm";

/// Tells whether there is a segment of this name.
#[must_use]
pub fn exists(name: &str) -> bool {
    std::path::Path::new(FOLDER).join(name).exists()
}

/// The names in `/dev/shm` that belong to a process.
#[must_use]
pub fn names_of(pid: u32) -> Vec<String> {
    let is_of = |name: &String| {
        let mut parts = name.split('-');
        parts.next() == Some("reedbed") && parts.nth(1) == Some(&pid.to_string())
    };
    let entries = std::fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(is_of).collect()
}

/// Runs the check of this name; prints what happened.
///
/// # Errors
/// Whatever should not have happened.
pub fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    match *arguments {
        ["open", name] => open(name),
        ["exhaust"] => exhaust(),
        ["hold"] => hold(),
        ["leak"] => leak(),
        ["exhaust-tensors"] => exhaust_tensors(),
        ["serve", worker] => serve(worker),
        _ => Err("no check is called that".into()),
    }
}

fn tell(what: &dyn std::fmt::Display) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{what}")?;
    out.flush()
}

/// Opens a segment; prints the error, if it is one.
fn open(name: &str) -> Result<(), Box<dyn Error>> {
    match ForeignSegment::open(name) {
        Ok(segment) => tell(&segment.len_bytes())?,
        Err(error) => tell(&error)?,
    }
    Ok(())
}

/// Takes more than a `/dev/shm` of one mebibyte has.
fn exhaust() -> Result<(), Box<dyn Error>> {
    let first = ForeignSegment::create(600 * 1024)?;
    let error = ForeignSegment::create(600 * 1024)
        .err()
        .ok_or("there was room for both")?;
    let reedbed::ForeignError::Exhausted(exhausted) = &error else {
        return Err(error.into());
    };
    let Shortage::NamedSegments {
        size_bytes,
        free_bytes,
    } = exhausted.shortage
    else {
        return Err(error.into());
    };
    assert_eq!(size_bytes, 1024 * 1024);
    assert!(free_bytes < 600 * 1024, "{free_bytes}");
    tell(&error)?;
    // What was not made has left nothing behind, and what is there can be written to its end.
    first.write_from(0, &vec![1; 600 * 1024])?;
    assert_eq!(std::fs::read_dir(FOLDER)?.count(), 1);
    drop(first);
    ForeignSegment::create(900 * 1024)?.write_from(0, &vec![1; 900 * 1024])?;
    Ok(())
}

/// Prints the name of a segment, and keeps it until standard input ends.
fn hold() -> Result<(), Box<dyn Error>> {
    let segment = ForeignSegment::create(4096)?;
    tell(&segment.name())?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Prints the name of a segment, and exits without dropping it.
fn leak() -> Result<(), Box<dyn Error>> {
    let segment = Box::leak(Box::new(ForeignSegment::create(4096)?));
    assert!(exists(segment.name()));
    tell(&segment.name())?;
    Ok(())
}

/// Takes tensors until a `/dev/shm` of a few mebibytes has no more.
fn exhaust_tensors() -> Result<(), Box<dyn Error>> {
    reedbed::set_segments(Segments::Named);
    let mut tensors = Vec::new();
    let error = loop {
        match Tensor1::<u8>::from_elem(1 << 20, 7) {
            Ok(tensor) => tensors.push(tensor),
            Err(error) => break error,
        }
    };
    if !matches!(error.shortage, Shortage::NamedSegments { .. }) {
        return Err(error.into());
    }
    tell(&format!("{} tensors, then {error}", tensors.len()))?;
    // One that is dropped makes room for the next; and memfds are not in the way.
    tensors.pop();
    tensors.push(Tensor1::from_elem(1 << 20, 8)?);
    reedbed::set_segments(Segments::Memfd);
    Tensor1::<u8>::from_elem(1 << 20, 9)?;
    Ok(())
}

/// Has tensors on both sides, prints the worker's number, and waits until standard input ends.
fn serve(worker: &str) -> Result<(), Box<dyn Error>> {
    reedbed::set_segments(Segments::Named);
    let worker = reedbed::blocking::Worker::spawn(worker)?;
    let arrays: arrays::BlockingClient = worker.import()?;
    let ours = Tensor1::<u64>::from_elem(100_000, 1)?;
    arrays.total(&ours)?;
    let theirs = arrays.range(100_000)?;
    let control: control::BlockingClient = worker.import()?;
    tell(&control.process_id()?)?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop((ours, theirs));
    Ok(())
}
