//! A segment: a descriptor, its length, and its pages mapped here.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::budget::{Reservation, ShmExhausted, Shortage};
use super::kind::Segments;
use super::mapping::{Access, Mapping};
use super::memfd;
#[cfg(feature = "posix-shm")]
use super::named::file::{self, Name};
use super::stranger::{Audience, Reach, Stranger};

/// Descriptors of segments that this process keeps open.
static DESCRIPTORS: AtomicUsize = AtomicUsize::new(0);
/// The source of [`Backing::uid`].
static NEXT_UID: AtomicU64 = AtomicU64::new(1);

/// The device and inode of a segment: equal identities are the same memory, in any process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentIdentity {
    /// The device, as `fstat` reports it.
    pub device: u64,
    /// The inode on that device.
    pub inode: u64,
}

/// Whether a large segment is to have huge pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HugePages {
    /// As far as they are cheap to be had.
    Wanted,
    /// To compare.
    #[cfg_attr(
        not(feature = "internals"),
        expect(dead_code, reason = "benchmarks compare")
    )]
    None,
}

/// What to do when a segment is no more.
type Farewell = Box<dyn FnOnce() + Send>;

/// A segment, made here or received from a peer.
pub(crate) struct Backing {
    uid: u64,
    identity: SegmentIdentity,
    fd: Option<CountedFd>,
    /// What it is called, if it is a named one; a memfd isn't.
    #[cfg(feature = "posix-shm")]
    name: Option<Name>,
    mapping: Mapping,
    reach: Reach,
    audience: Audience,
    /// How many bytes, from the start, tenants have written, where untrusted workers may see it.
    used_bytes: AtomicUsize,
    farewells: Mutex<Vec<Farewell>>,
    /// Counted only where the segment was made.
    _reservation: Option<Reservation>,
}

impl Backing {
    /// Makes a segment of `len` bytes, all zero, reserved and mapped.
    pub(crate) fn create(len: usize, segments: Segments) -> Result<Self, ShmExhausted> {
        Self::create_for(len, segments, &[]).map(|(backing, _)| backing)
    }

    /// As [`create`](Self::create), for a tenant whose first bytes are to be `contents`. Returns
    /// whether they are, where it is quicker to write them at once; if not, all bytes are zero.
    pub(crate) fn create_for(
        len: usize,
        segments: Segments,
        contents: &[u8],
    ) -> Result<(Self, bool), ShmExhausted> {
        match segments {
            Segments::Memfd => Self::create_memfd(len, contents, HugePages::Wanted, Reach::Trusted),
            #[cfg(feature = "posix-shm")]
            Segments::Named => Ok((Self::create_named(len)?, false)),
        }
    }

    /// As [`create_for`](Self::create_for), for an untrusted worker.
    pub(crate) fn create_apart(
        len: usize,
        contents: &[u8],
        reach: Reach,
        stranger: Stranger,
    ) -> Result<(Self, bool), ShmExhausted> {
        let (mut backing, is_written) =
            Self::create_memfd(len, contents, HugePages::Wanted, reach)?;
        backing.audience = Audience::of(stranger);
        Ok((backing, is_written))
    }

    /// Makes a memfd of `len` bytes.
    pub(super) fn create_memfd(
        len: usize,
        contents: &[u8],
        huge_pages: HugePages,
        reach: Reach,
    ) -> Result<(Self, bool), ShmExhausted> {
        let reservation = Reservation::new(len)?;
        let exhausted = |shortage| ShmExhausted::new(len, shortage);
        let unreserved = |error| exhausted(Shortage::Reservation(error));
        let created = match reach {
            Reach::Guarded => memfd::create_unguarded(len),
            Reach::Trusted | Reach::Exposed => memfd::create(len),
        };
        let fd = created.map_err(|error| exhausted(Shortage::Descriptors(error)))?;
        let mapping = Mapping::new(fd.as_fd(), len, Access::ReadWrite)
            .map_err(|error| exhausted(Shortage::Mapping(error)))?;
        let n_huge = match huge_pages {
            HugePages::Wanted => mapping.reserve_huge_pages(),
            HugePages::None => 0,
        };
        // Into small pages, `pwrite` is quicker than the mapping, where each page is a fault: 0.75
        // times the latter, with the mapping made ready for the next tenant
        // (`cargo bench --package reedbed --features internals --bench segments`).
        let is_written = n_huge == 0 && !contents.is_empty();
        if is_written {
            memfd::write(&fd, 0, contents).map_err(unreserved)?;
            mapping.populate(0..contents.len());
        }
        let n_reserved = if is_written { contents.len() } else { n_huge };
        memfd::reserve(&fd, n_reserved..len).map_err(unreserved)?;
        if reach == Reach::Guarded {
            // The mapping is there already, and lives as long as the segment.
            memfd::guard(&fd).map_err(unreserved)?;
        }
        let (device, inode) = memfd::identity(&fd).map_err(unreserved)?;
        let backing = Self {
            uid: NEXT_UID.fetch_add(1, Ordering::Relaxed),
            identity: SegmentIdentity { device, inode },
            fd: Some(CountedFd::new(fd)),
            #[cfg(feature = "posix-shm")]
            name: None,
            mapping,
            reach,
            audience: Audience::default(),
            used_bytes: AtomicUsize::new(0),
            farewells: Mutex::default(),
            _reservation: Some(reservation),
        };
        Ok((backing, is_written))
    }

    /// Makes a segment that is found by its name, so that its descriptor needn't stay open.
    #[cfg(feature = "posix-shm")]
    fn create_named(len: usize) -> Result<Self, ShmExhausted> {
        let reservation = Reservation::new(len)?;
        let exhausted = |shortage| ShmExhausted::new(len, shortage);
        let (fd, name) = file::create(len).map_err(exhausted)?;
        let named = Self::map_named(&fd, name, len, Access::ReadWrite);
        let mut backing = named.map_err(|error| exhausted(Shortage::Mapping(error)))?;
        backing._reservation = Some(reservation);
        Ok(backing)
    }

    /// Wraps a peer's segment that passed the checks of [`file::open`].
    ///
    /// # Errors
    /// The kernel's, where the pages can't be mapped.
    #[cfg(feature = "posix-shm")]
    pub(crate) fn map_named(
        fd: &OwnedFd,
        name: Name,
        len: usize,
        access: Access,
    ) -> std::io::Result<Self> {
        let mapping = Mapping::new(fd.as_fd(), len, access)?;
        let (device, inode) = memfd::identity(fd)?;
        Ok(Self {
            uid: NEXT_UID.fetch_add(1, Ordering::Relaxed),
            identity: SegmentIdentity { device, inode },
            fd: None,
            name: Some(name),
            mapping,
            reach: Reach::Trusted,
            audience: Audience::default(),
            used_bytes: AtomicUsize::new(0),
            farewells: Mutex::default(),
            _reservation: None,
        })
    }

    /// Wraps a peer's descriptor that passed [`memfd::check`], keeping it open if `keep_fd`.
    ///
    /// # Errors
    /// The kernel's, where the pages can't be mapped.
    pub(crate) fn import(
        fd: OwnedFd,
        len: usize,
        access: Access,
        keep_fd: bool,
    ) -> std::io::Result<Self> {
        let mapping = Mapping::new(fd.as_fd(), len, access)?;
        if access != Access::Read {
            // What may be written is written all over; what is read, perhaps in one place.
            mapping.populate(0..len);
        }
        let (device, inode) = memfd::identity(&fd)?;
        Ok(Self {
            uid: NEXT_UID.fetch_add(1, Ordering::Relaxed),
            identity: SegmentIdentity { device, inode },
            fd: keep_fd.then(|| CountedFd::new(fd)),
            #[cfg(feature = "posix-shm")]
            name: None,
            mapping,
            reach: Reach::Trusted,
            audience: Audience::default(),
            used_bytes: AtomicUsize::new(0),
            farewells: Mutex::default(),
            _reservation: None,
        })
    }

    /// Wraps the descriptor of an untrusted worker that passed [`memfd::check`]. Its pages are mapped
    /// for atomics; all else is [read](Self::read) by the descriptor, which stays open.
    ///
    /// # Errors
    /// The kernel's, where the pages can't be mapped.
    pub(crate) fn import_apart(
        fd: OwnedFd,
        len: usize,
        access: Access,
        stranger: Stranger,
    ) -> std::io::Result<Self> {
        let mapping = Mapping::new(fd.as_fd(), len, access)?;
        let (device, inode) = memfd::identity(&fd)?;
        Ok(Self {
            uid: NEXT_UID.fetch_add(1, Ordering::Relaxed),
            identity: SegmentIdentity { device, inode },
            fd: Some(CountedFd::new(fd)),
            #[cfg(feature = "posix-shm")]
            name: None,
            mapping,
            reach: Reach::Exposed,
            audience: Audience::of(stranger),
            used_bytes: AtomicUsize::new(0),
            farewells: Mutex::default(),
            _reservation: None,
        })
    }

    /// Who may reach its bytes besides this process.
    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// The untrusted workers that it was made for, or shown to.
    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Tells whether it was made in this process.
    pub(crate) fn is_own(&self) -> bool {
        self._reservation.is_some()
    }

    /// Notes that a tenant writes the first `len` bytes; returns how many earlier ones wrote.
    pub(super) fn use_bytes(&self, len: usize) -> usize {
        self.used_bytes.swap(len, Ordering::Relaxed)
    }

    /// Copies bytes out of it that an untrusted worker may be writing.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) -> std::io::Result<()> {
        let fd = self.fd().ok_or(std::io::ErrorKind::NotFound)?;
        memfd::read(fd, offset as u64, bytes)
    }

    /// Copies bytes into it that an untrusted worker may be writing, too.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> std::io::Result<()> {
        let fd = self.fd().ok_or(std::io::ErrorKind::NotFound)?;
        memfd::write(fd, offset as u64, bytes)
    }

    /// A number that no other segment of this process ever has.
    pub(crate) fn uid(&self) -> u64 {
        self.uid
    }

    /// The segment's device and inode.
    pub(crate) fn identity(&self) -> SegmentIdentity {
        self.identity
    }

    /// What it is made of.
    pub(crate) fn segments(&self) -> Segments {
        #[cfg(feature = "posix-shm")]
        if self.name.is_some() {
            return Segments::Named;
        }
        Segments::Memfd
    }

    /// What it is called, if it is a named one whose name still leads to it.
    #[cfg(feature = "posix-shm")]
    pub(crate) fn name(&self) -> Option<&str> {
        let name = self.name.as_ref()?;
        name.leads_to(self.identity).then_some(name.as_str())
    }

    /// The segment's pages.
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The descriptor, unless it was closed to save room in the table.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(|counted| counted.fd.as_fd())
    }

    /// Has `farewell` run when the segment is unmapped here, to tell whoever else maps it.
    pub(crate) fn on_drop(&self, farewell: impl FnOnce() + Send + 'static) {
        self.farewells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(farewell));
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        let farewells = self
            .farewells
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for farewell in farewells.drain(..) {
            farewell();
        }
    }
}

impl fmt::Debug for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backing")
            .field("uid", &self.uid)
            .field("identity", &self.identity)
            .field("len", &self.mapping.len())
            .finish_non_exhaustive()
    }
}

/// A descriptor that is counted while it is open.
struct CountedFd {
    fd: OwnedFd,
}

impl CountedFd {
    fn new(fd: OwnedFd) -> Self {
        DESCRIPTORS.fetch_add(1, Ordering::Relaxed);
        Self { fd }
    }
}

impl Drop for CountedFd {
    fn drop(&mut self) {
        DESCRIPTORS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells whether segments hold so many of the process's descriptors (a quarter of RLIMIT_NOFILE)
/// that new tensors had better share one.
pub(crate) fn descriptors_are_scarce() -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.is_some_and(|limit| DESCRIPTORS.load(Ordering::Relaxed) as u64 >= limit / 4)
}
