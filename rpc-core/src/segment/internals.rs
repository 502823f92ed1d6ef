//! What benchmarks compare: segments made in the ways that were not taken, too.

use std::os::fd::AsFd;
use std::sync::Arc;

use ndarray::Ix1;

use super::ShmExhausted;
use super::backing::{Backing, HugePages};
use super::extent::{Extent, Tenure};
use super::mapping::Access;
use super::stranger::Reach;
use crate::tensor::{Tensor, locate};

/// How the pages of a new segment come to be.
#[derive(Clone, Copy, Debug)]
pub enum Pages {
    /// Huge ones are made first.
    Huge,
    /// Small ones are reserved, mapped and touched.
    Small,
    /// Small ones are made by writing them.
    SmallWritten,
}

/// Copies `contents` into a segment that nobody used before, and that nobody will use again.
///
/// # Errors
/// [`ShmExhausted`] if the memory can't be had.
pub fn fresh(contents: &[u8], pages: Pages) -> Result<Tensor<u8, Ix1>, ShmExhausted> {
    let (huge_pages, written) = match pages {
        Pages::Huge => (HugePages::Wanted, &[][..]),
        Pages::Small => (HugePages::None, &[][..]),
        Pages::SmallWritten => (HugePages::None, contents),
    };
    let (backing, is_written) =
        Backing::create_memfd(contents.len(), written, huge_pages, Reach::Trusted)?;
    let mut tensor = tensor(Arc::new(backing));
    if !is_written && let Ok(bytes) = tensor.located_mut().bytes_of_run_mut() {
        bytes.copy_from_slice(contents);
    }
    Ok(tensor)
}

/// Maps a segment once more, as a peer would.
///
/// # Panics
/// If it can't be mapped.
#[must_use]
pub fn mapped_again(tensor: &Tensor<u8, Ix1>, is_populated: bool) -> Tensor<u8, Ix1> {
    let backing = tensor.located().extent().backing();
    let fd = backing.fd().map(|fd| fd.as_fd().try_clone_to_owned());
    let (Some(Ok(fd)), len) = (fd, backing.mapping().len()) else {
        panic!("a fresh segment keeps its descriptor");
    };
    let access = if is_populated {
        Access::ReadWrite
    } else {
        Access::Read
    };
    match Backing::import(fd, len, access, false) {
        Ok(backing) => self::tensor(Arc::new(backing)),
        Err(error) => panic!("{error}"),
    }
}

fn tensor(backing: Arc<Backing>) -> Tensor<u8, Ix1> {
    let len = backing.mapping().len();
    let extent = Arc::new(Extent::new(backing, 0..len, Unmapped));
    match locate(extent, 0, Ix1(len)) {
        Some(located) => Tensor::from_located(located),
        None => unreachable!("bytes fit anywhere"),
    }
}

/// The tenure of a segment that goes with its tenant.
struct Unmapped;

impl Tenure for Unmapped {
    fn end(&self, _: &Arc<Backing>, _: &std::ops::Range<usize>) {}
}
