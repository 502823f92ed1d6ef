//! What processes of their own do with named segments.

use std::error::Error;
use std::io::{Read, Write};

use reedbed::{ForeignSegment, Shortage};

/// Where named segments lie.
pub const FOLDER: &str = "/dev/shm";

/// Tells whether there is a segment of this name.
#[must_use]
pub fn exists(name: &str) -> bool {
    std::path::Path::new(FOLDER).join(name).exists()
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
