//! Segments that the peer has announced to this process.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use crate::segment::backing::{Backing, SegmentIdentity, descriptors_are_scarce};
use crate::segment::lease::{Holder, Leases};
use crate::segment::mapping::Access;
use crate::segment::memfd::{self, Unfit};
#[cfg(feature = "posix-shm")]
use crate::segment::named::file::{self, OpenError};
use crate::segment::stranger::Stranger;

/// Whom the marks on bytes of a peer's segment are held by.
pub(super) const BORROWER: Holder = Holder::Other("the peer");

/// Segments of the peer that are mapped here.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    segments: HashMap<u64, Import>,
    /// The marks on the bytes of each memory: a peer may announce one under any number of numbers.
    marks: HashMap<SegmentIdentity, Weak<Leases>>,
    /// Those on the rings, which are none of the peer's arrays, whatever it announces.
    rings: Option<Arc<Leases>>,
    /// Announced, and refused for lack of descriptors or memory: why.
    refused: HashMap<u64, String>,
    /// The number of each imported segment, by the uid of its mappings.
    number_of: HashMap<u64, u64>,
}

/// A segment of the peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Import {
    reading: Option<Pages>,
    writing: Option<Pages>,
}

/// The pages of a segment of the peer.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    pub(crate) backing: Arc<Backing>,
    /// Which of its bytes are lent or moved to this process now, to notice overlaps.
    pub(crate) leases: Arc<Leases>,
}

impl Import {
    /// The pages, mapped for at least `access`.
    pub(crate) fn pages(&self, access: Access) -> Option<&Pages> {
        match access {
            Access::Read => self.reading.as_ref().or(self.writing.as_ref()),
            Access::ReadWrite | Access::Shared => self.writing.as_ref(),
        }
    }
}

/// Why a segment wasn't taken in.
#[derive(Debug)]
pub(crate) enum ImportError {
    /// The peer broke the protocol.
    Violation(String),
    /// There is no descriptor or no room to map it here; the peer is told.
    Refused(String),
}

/// Checks the descriptor of a segment that the peer announced; returns its length.
fn check(fd: &OwnedFd, len_bytes: u64) -> Result<usize, ImportError> {
    let unfit = |unfit: Unfit| ImportError::Violation(format!("announced a segment, but {unfit}"));
    let len = usize::try_from(len_bytes)
        .map_err(|_| ImportError::Violation(format!("announced a segment of {len_bytes} bytes")))?;
    memfd::check(fd.as_fd(), len).map_err(unfit)?;
    Ok(len)
}

/// Maps a segment that the peer announced. Runs without any lock.
pub(crate) fn map(
    fd: OwnedFd,
    len_bytes: u64,
    access: Access,
    keep_descriptor: bool,
) -> Result<Arc<Backing>, ImportError> {
    let len = check(&fd, len_bytes)?;
    let keep_fd = keep_descriptor && access == Access::ReadWrite && !descriptors_are_scarce();
    imported(len, Backing::import(fd, len, access, keep_fd))
}

/// As [`map`], where the peer is an untrusted worker.
pub(crate) fn map_apart(
    fd: OwnedFd,
    len_bytes: u64,
    access: Access,
    stranger: Stranger,
) -> Result<Arc<Backing>, ImportError> {
    let len = check(&fd, len_bytes)?;
    imported(len, Backing::import_apart(fd, len, access, stranger))
}

fn imported(len: usize, imported: io::Result<Backing>) -> Result<Arc<Backing>, ImportError> {
    let refused = |error| ImportError::Refused(format!("{len} bytes can't be mapped: {error}"));
    imported.map(Arc::new).map_err(refused)
}

/// As [`map`], by its name.
#[cfg(feature = "posix-shm")]
pub(crate) fn map_named(
    name: &str,
    len_bytes: u64,
    access: Access,
) -> Result<Arc<Backing>, ImportError> {
    let violation = |what| ImportError::Violation(format!("announced a segment, but {what}"));
    let len = usize::try_from(len_bytes)
        .map_err(|_| violation(format!("no segment has {len_bytes} bytes")))?;
    let opened = file::open(name, len, access);
    let (fd, name) = opened.map_err(|error| match error {
        OpenError::Unfit(what) => violation(what),
        OpenError::Refused(error) => {
            ImportError::Refused(format!("segment `{name}` can't be opened: {error}"))
        }
    })?;
    imported(len, Backing::map_named(&fd, name, len, access))
}

impl Imports {
    /// Those of a channel whose frames go through rings in this memory.
    pub(crate) fn beside_rings(identity: SegmentIdentity) -> Self {
        let mut imports = Self::default();
        let marks = imports.marks_on(identity);
        // Whatever overlaps them is refused, so it doesn't matter how long they are.
        let begun = marks.begin(&(0..usize::MAX), Access::ReadWrite, &BORROWER);
        debug_assert!(begun.is_ok(), "nobody else has them yet");
        imports.rings = Some(marks);
        imports
    }

    /// The marks on the bytes of a memory.
    fn marks_on(&mut self, identity: SegmentIdentity) -> Arc<Leases> {
        // Those that nobody has any more, which is looked for less and less often.
        if self.marks.len() > 2 * self.number_of.len() + 16 {
            self.marks.retain(|_, marks| marks.strong_count() > 0);
        }
        let known = self.marks.entry(identity).or_default();
        known.upgrade().unwrap_or_else(|| {
            let marks = Arc::default();
            *known = Arc::downgrade(&marks);
            marks
        })
    }

    /// The number of segments that are mapped or were refused.
    pub(crate) fn len(&self) -> usize {
        self.segments.len() + self.refused.len()
    }

    /// The number of mappings: a segment that was announced for reading and for writing has two.
    pub(crate) fn n_mappings(&self) -> usize {
        self.number_of.len()
    }

    /// Notes a segment that was mapped for `access`. One that was known for that access stays as it
    /// was (a refusal may have crossed its announcement); the surplus mapping is returned, for the
    /// caller to drop without a lock.
    pub(crate) fn insert(
        &mut self,
        segment: u64,
        access: Access,
        backing: Arc<Backing>,
    ) -> Option<Arc<Backing>> {
        self.refused.remove(&segment);
        let leases = self.marks_on(backing.identity());
        let import = self.segments.entry(segment).or_default();
        let place = match access {
            Access::Read => &mut import.reading,
            Access::ReadWrite | Access::Shared => &mut import.writing,
        };
        if place.is_some() {
            return Some(backing);
        }
        self.number_of.insert(backing.uid(), segment);
        *place = Some(Pages { backing, leases });
        None
    }

    /// Notes a segment that can't be used here for an access that it isn't known for.
    pub(crate) fn refuse(&mut self, segment: u64, reason: &str) {
        self.refused.insert(segment, reason.to_owned());
    }

    /// Why the segment was refused, if it was.
    pub(crate) fn refusal(&self, segment: u64) -> Option<&str> {
        self.refused.get(&segment).map(String::as_str)
    }

    /// Takes a segment off the list; tells whether it was known at all.
    pub(crate) fn forget(&mut self, segment: u64) -> (bool, Option<Import>) {
        let was_refused = self.refused.remove(&segment).is_some();
        let import = self.remove(segment);
        (was_refused || import.is_some(), import)
    }

    fn remove(&mut self, segment: u64) -> Option<Import> {
        let import = self.segments.remove(&segment)?;
        for pages in import.reading.iter().chain(&import.writing) {
            self.number_of.remove(&pages.backing.uid());
        }
        Some(import)
    }

    /// Finds a segment of the peer by its number.
    pub(crate) fn find(&self, segment: u64) -> Option<&Import> {
        self.segments.get(&segment)
    }

    /// The peer's number for a segment, if it is one of the peer's.
    pub(crate) fn number_of(&self, backing: &Backing) -> Option<u64> {
        self.number_of.get(&backing.uid()).copied()
    }

    /// Forgets all segments: the peer is gone.
    pub(crate) fn take_all(&mut self) -> Self {
        std::mem::take(self)
    }
}
