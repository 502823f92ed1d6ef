//! The two rings of a channel, in one segment.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use super::ring::{Direction, Lane, RINGS_BYTES};
use crate::segment::backing::SegmentIdentity;
use crate::segment::memfd;
use crate::segment::words::Words;

/// Both rings, as one side sees them.
#[derive(Debug)]
pub(crate) struct Rings {
    /// The one that this side reads.
    pub(super) incoming: Lane,
    /// The one that this side writes.
    pub(super) outgoing: Lane,
    /// The memory that they lie in.
    pub(super) identity: SegmentIdentity,
}

impl Rings {
    /// Makes the rings, as a worker; also returns the segment, for the host.
    ///
    /// # Errors
    /// The kernel's, where there is no descriptor or no memory.
    pub(crate) fn create() -> io::Result<(Self, OwnedFd)> {
        let segment = memfd::create(RINGS_BYTES)?;
        memfd::reserve(&segment, 0..RINGS_BYTES)?;
        let pages = Arc::new(Words::map(segment.as_fd(), RINGS_BYTES)?);
        let rings = Self {
            incoming: Lane::new(&pages, Direction::ToWorker),
            outgoing: Lane::new(&pages, Direction::ToHost),
            identity: identity_of(&segment)?,
        };
        Ok((rings, segment))
    }

    /// Maps the rings that a worker has made, as its host.
    ///
    /// # Errors
    /// What is wrong with the segment; the kernel's, where it can't be mapped.
    pub(crate) fn open(segment: &OwnedFd) -> io::Result<Self> {
        memfd::check(segment.as_fd(), RINGS_BYTES).map_err(io::Error::other)?;
        let pages = Arc::new(Words::map(segment.as_fd(), RINGS_BYTES)?);
        Ok(Self {
            incoming: Lane::new(&pages, Direction::ToHost),
            outgoing: Lane::new(&pages, Direction::ToWorker),
            identity: identity_of(segment)?,
        })
    }
}

fn identity_of(segment: &OwnedFd) -> io::Result<SegmentIdentity> {
    let (device, inode) = memfd::identity(segment)?;
    Ok(SegmentIdentity { device, inode })
}
