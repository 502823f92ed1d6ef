//! Segments: memfds of fixed length, read and written through their descriptors.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};

/// The seals that fix the length.
pub const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// A memfd.
///
/// # Panics
/// All methods do if the system has no room.
#[derive(Debug)]
pub struct Memory {
    fd: OwnedFd,
    len: u64,
}

#[expect(clippy::missing_panics_doc, reason = "documented on the type")]
impl Memory {
    /// Makes a segment of `len` bytes, all zero.
    #[must_use]
    pub fn new(len: u64) -> Self {
        Self::sealed(len, SEALS)
    }

    /// Makes a memfd of `len` bytes with other seals.
    #[must_use]
    pub fn sealed(len: u64, seals: SealFlags) -> Self {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = rustix::fs::memfd_create("by hand", flags).expect("a memfd");
        if len > 0 {
            rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, len).expect("pages");
        }
        rustix::fs::fcntl_add_seals(&fd, seals).expect("seals");
        Self { fd, len }
    }

    /// Makes a segment of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let memory = Self::new(bytes.len() as u64);
        memory.write(0, bytes);
        memory
    }

    /// Makes a segment of `i64`s.
    #[must_use]
    pub fn of_i64(elements: &[i64]) -> Self {
        Self::of(
            &elements
                .iter()
                .flat_map(|element| element.to_le_bytes())
                .collect::<Vec<_>>(),
        )
    }

    /// Makes a segment of `f64`s.
    #[must_use]
    pub fn of_f64(elements: &[f64]) -> Self {
        Self::of(
            &elements
                .iter()
                .flat_map(|element| element.to_le_bytes())
                .collect::<Vec<_>>(),
        )
    }

    /// Wraps a peer's segment.
    #[must_use]
    pub fn received(fd: OwnedFd, len: u64) -> Self {
        assert_eq!(
            rustix::fs::fstat(&fd)
                .expect("a file")
                .st_size
                .cast_unsigned(),
            len
        );
        Self { fd, len }
    }

    /// The length.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.len
    }

    /// Opens it again, for reading only.
    #[must_use]
    pub fn read_only(&self) -> OwnedFd {
        let path = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("a file")
    }

    /// Another descriptor of it.
    #[must_use]
    pub fn try_clone(&self) -> Self {
        let fd = self.fd.try_clone().expect("a descriptor");
        Self { fd, len: self.len }
    }

    /// Writes bytes.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        assert_eq!(rustix::io::pwrite(&self.fd, bytes, offset), Ok(bytes.len()));
    }

    /// Reads `N` bytes.
    #[must_use]
    pub fn read<const N: usize>(&self, offset: u64) -> [u8; N] {
        let mut bytes = [0; N];
        assert_eq!(rustix::io::pread(&self.fd, &mut bytes, offset), Ok(N));
        bytes
    }

    /// Reads so many bytes.
    #[must_use]
    pub fn read_run(&self, offset: u64, len: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(len).expect("a length of this process")];
        let read = rustix::io::pread(&self.fd, &mut bytes, offset);
        assert_eq!(read, Ok(bytes.len()));
        bytes
    }

    /// Reads an `f64`.
    #[must_use]
    pub fn f64(&self, offset: u64) -> f64 {
        f64::from_le_bytes(self.read(offset))
    }

    /// The seals that it carries.
    #[must_use]
    pub fn seals(&self) -> SealFlags {
        rustix::fs::fcntl_get_seals(&self.fd).expect("a memfd")
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
