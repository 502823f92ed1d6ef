//! Descriptors of shared memory: how they are made, and what is checked before one is trusted.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use memfd::{FileSeal, MemfdOptions};
use rustix::fs::{FallocateFlags, Mode, OFlags, SealFlags};

/// The name under which `/proc` lists the descriptors (it identifies nothing).
const NAME: &str = "reedbed";
/// What `statfs` says of the kernel's own tmpfs, where memfds live (`TMPFS_MAGIC`, `man 2 statfs`).
const TMPFS_MAGIC: i64 = 0x0102_1994;
/// The unit of `st_blocks` (`man 2 stat`).
const STAT_BLOCK_BYTES: i64 = 512;
/// The size of an ordinary page of tmpfs; a memfd of huge pages reports theirs.
const LARGEST_BLOCK_BYTES: i64 = 64 * 1024;

/// Why a descriptor that a peer sent is not mapped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// It is no memfd, or its length may still change.
    #[error("it isn't a memfd sealed against shrinking and growing")]
    NotSealed,
    /// It lies in another file system, or in huge pages.
    #[error(
        "it isn't ordinary shared memory (file system type {kind:#x}, blocks of {block} bytes)"
    )]
    NotShmem {
        /// The type that `fstatfs` reports.
        kind: i64,
        /// The block size that `fstatfs` reports.
        block: i64,
    },
    /// It has another length than announced.
    #[error("it has {actual} bytes where {announced} were announced")]
    Length {
        /// The length that `fstat` reports.
        actual: i64,
        /// The length that the peer announced.
        announced: usize,
    },
    /// Some of its pages don't exist yet.
    #[error("not all of its pages are reserved")]
    Sparse,
    /// The kernel would not say.
    #[error("it can't be examined")]
    Io(#[from] io::Error),
}

/// Creates a memfd of `len` bytes whose length is sealed. Its pages are yet to be
/// [reserved](reserve).
///
/// The caller has checked `len` against the budget and RLIMIT_FSIZE.
pub(crate) fn create(len: usize) -> io::Result<OwnedFd> {
    create_with(
        len,
        &[FileSeal::SealShrink, FileSeal::SealGrow, FileSeal::SealSeal],
    )
}

/// As [`create`], for a memfd that is yet to be [guarded](guard).
pub(crate) fn create_unguarded(len: usize) -> io::Result<OwnedFd> {
    create_with(len, &[FileSeal::SealShrink, FileSeal::SealGrow])
}

/// Sees to it that nobody writes the segment from now on but through the mappings that there are,
/// whatever descriptor of it they have, and that this can't be changed any more.
pub(crate) fn guard(fd: impl AsFd) -> io::Result<()> {
    rustix::fs::fcntl_add_seals(fd, SealFlags::FUTURE_WRITE | SealFlags::SEAL)?;
    Ok(())
}

fn create_with(len: usize, seals: &[FileSeal]) -> io::Result<OwnedFd> {
    let memfd = MemfdOptions::default()
        .allow_sealing(true)
        .close_on_exec(true)
        .create(NAME)
        .map_err(flatten)?;
    let file_len = u64::try_from(len).map_err(io::Error::other)?;
    memfd.as_file().set_len(file_len)?;
    memfd.add_seals(seals).map_err(flatten)?;
    Ok(OwnedFd::from(memfd.into_file()))
}

/// Reserves the pages of `range`, so that no access to them can fault for want of memory.
///
/// # Errors
/// The kernel's, when it hasn't got them.
pub(crate) fn reserve(fd: impl AsFd, range: Range<usize>) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let (start, len) = (range.start as u64, range.len() as u64);
    rustix::io::retry_on_intr(|| {
        rustix::fs::fallocate(fd.as_fd(), FallocateFlags::empty(), start, len)
    })?;
    Ok(())
}

/// Writes bytes of a segment from `offset` on, whose pages needn't exist yet.
///
/// # Errors
/// The kernel's, when it hasn't got the pages.
pub(crate) fn write(fd: impl AsFd, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = rustix::io::retry_on_intr(|| rustix::io::pwrite(fd.as_fd(), bytes, offset))?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[n..];
        offset += n as u64;
    }
    Ok(())
}

/// Reads bytes of a segment from `offset` on: those that are there at that moment. Pages that a peer
/// has taken out of it are read as zeros.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] behind its end, and the kernel's.
pub(crate) fn read(fd: impl AsFd, mut offset: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = rustix::io::retry_on_intr(|| rustix::io::pread(fd.as_fd(), &mut *bytes, offset))?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        offset += n as u64;
    }
    Ok(())
}

/// The operating system's error behind the memfd crate's.
fn flatten(error: memfd::Error) -> io::Error {
    match error {
        memfd::Error::Create(error)
        | memfd::Error::AddSeals(error)
        | memfd::Error::GetSeals(error) => error,
    }
}

/// Checks that a peer's descriptor is ordinary shared memory of exactly `announced` bytes whose
/// length can't change any more, so that no access of its pages can fault.
pub(crate) fn check(fd: BorrowedFd<'_>, announced: usize) -> Result<(), Unfit> {
    // Files in /dev/shm answer F_GET_SEALS too, with F_SEAL_SEAL alone: ask for the bits.
    let seals = rustix::fs::fcntl_get_seals(fd).map_err(|_| Unfit::NotSealed)?;
    if !seals.contains(SealFlags::SHRINK | SealFlags::GROW) {
        return Err(Unfit::NotSealed);
    }
    check_pages(fd, announced)
}

/// Checks that a file is ordinary shared memory of exactly `announced` bytes, all of them reserved.
pub(crate) fn check_pages(fd: impl AsFd, announced: usize) -> Result<(), Unfit> {
    let fd = fd.as_fd();
    let stat = rustix::fs::fstatfs(fd).map_err(io::Error::from)?;
    let (kind, block) = (stat.f_type, stat.f_bsize);
    if kind != TMPFS_MAGIC || block > LARGEST_BLOCK_BYTES {
        return Err(Unfit::NotShmem { kind, block });
    }
    let stat = rustix::fs::fstat(fd).map_err(io::Error::from)?;
    let actual = stat.st_size;
    if usize::try_from(actual) != Ok(announced) {
        return Err(Unfit::Length { actual, announced });
    }
    if stat.st_blocks.saturating_mul(STAT_BLOCK_BYTES) < actual {
        return Err(Unfit::Sparse);
    }
    Ok(())
}

/// Opens the segment behind `fd` again, for reading only.
///
/// A process that is given the result can't map it writable by mistake. It can still open it for
/// writing on purpose, through `/proc`, as long as it runs as the same user.
pub(crate) fn reopen_read_only(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Returns the device and inode of the segment behind `fd`: equal numbers are the same memory.
pub(crate) fn identity(fd: impl AsFd) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::fstat(fd)?;
    Ok((stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::mapping::{Access, Mapping};

    #[test]
    fn a_new_segment_is_sealed_and_fit() {
        let fd = create(8192).unwrap();
        assert!(matches!(check(fd.as_fd(), 8192), Err(Unfit::Sparse)));
        reserve(&fd, 0..8192).unwrap();
        let seals = rustix::fs::fcntl_get_seals(&fd).unwrap();
        assert_eq!(seals, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL);
        check(fd.as_fd(), 8192).unwrap();
        let error = check(fd.as_fd(), 4096).unwrap_err().to_string();
        assert_eq!(error, "it has 8192 bytes where 4096 were announced");
    }

    #[test]
    fn a_file_a_pipe_and_an_unsealed_memfd_are_unfit() {
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        let (pipe, _writer) = rustix::pipe::pipe().unwrap();
        let unsealed = MemfdOptions::default()
            .allow_sealing(true)
            .create("unsealed")
            .unwrap();
        for fd in [file, pipe, OwnedFd::from(unsealed.into_file())] {
            assert!(matches!(check(fd.as_fd(), 0), Err(Unfit::NotSealed)));
        }
    }

    #[test]
    fn a_guarded_segment_is_written_through_earlier_mappings_alone() {
        let fd = create_unguarded(4096).unwrap();
        reserve(&fd, 0..4096).unwrap();
        let map = |access| Mapping::new(fd.as_fd(), 4096, access);
        let earlier = map(Access::ReadWrite).unwrap();
        guard(&fd).unwrap();
        check(fd.as_fd(), 4096).unwrap();
        let denied = Some(rustix::io::Errno::PERM.raw_os_error());
        assert_eq!(map(Access::ReadWrite).unwrap_err().raw_os_error(), denied);
        assert_eq!(write(&fd, 0, b"x").unwrap_err().raw_os_error(), denied);
        map(Access::Read).unwrap();
        // Nor does it help to open it again, for writing, which the same user may do.
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let again = rustix::fs::open(path, OFlags::RDWR, Mode::empty()).unwrap();
        let error = Mapping::new(again.as_fd(), 4096, Access::ReadWrite).unwrap_err();
        assert_eq!(error.raw_os_error(), denied);
        let error = rustix::fs::fcntl_add_seals(&fd, SealFlags::WRITE).unwrap_err();
        assert_eq!(Some(error.raw_os_error()), denied);
        drop(earlier);
    }

    #[test]
    fn what_was_written_is_read_and_holes_are_zero() {
        let fd = create(8192).unwrap();
        write(&fd, 4094, b"abcd").unwrap();
        let mut bytes = [1; 6];
        read(&fd, 4093, &mut bytes).unwrap();
        assert_eq!(&bytes, b"\0abcd\0");
        let error = read(&fd, 8190, &mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_read_only_descriptor_refuses_writing() {
        let fd = create(4096).unwrap();
        let reader = reopen_read_only(fd.as_fd()).unwrap();
        assert_eq!(identity(&fd).unwrap(), identity(&reader).unwrap());
        assert!(rustix::io::write(&reader, b"x").is_err());
    }
}
