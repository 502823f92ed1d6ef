//! Pages that are mapped by hand, to try what their protection forbids.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;

use crate::breakout::{call, errno, sign};

/// Pages of a file, shared with everybody who maps it, until the process ends. Nobody here refers to
/// them: the kernel alone reads and writes them.
#[derive(Debug)]
pub struct Pages {
    address: usize,
    len: usize,
}

impl Pages {
    /// Maps the first `len` bytes of a file for reading.
    ///
    /// # Errors
    /// The system's.
    pub fn for_reading(file: &impl AsFd, len: u64) -> Result<Self, i32> {
        Self::map(file, len, libc::PROT_READ)
    }

    /// Maps the first `len` bytes of a file for reading and writing.
    ///
    /// # Errors
    /// The system's.
    pub fn for_writing(file: &impl AsFd, len: u64) -> Result<Self, i32> {
        Self::map(file, len, libc::PROT_READ | libc::PROT_WRITE)
    }

    fn map(file: &impl AsFd, len: u64, protection: i32) -> Result<Self, i32> {
        let len = usize::try_from(len).map_err(|_| libc::EINVAL)?;
        let file = sign(file.as_fd().as_raw_fd());
        let [protection, shared] = [protection, libc::MAP_SHARED].map(sign);
        // Anywhere, and from the start of the file.
        let address = call(libc::SYS_mmap, [0, len, protection, shared, file, 0])?;
        Ok(Self { address, len })
    }

    /// Has pages that are for reading be for writing, too (`mprotect`).
    ///
    /// # Errors
    /// The system's.
    pub fn open_up(&self) -> Result<(), i32> {
        let protection = sign(libc::PROT_READ | libc::PROT_WRITE);
        let arguments = [self.address, self.len, protection, 0, 0, 0];
        call(libc::SYS_mprotect, arguments).map(drop)
    }

    /// Writes them through `/proc/self/mem`, as a debugger does: where that may be, the kernel doesn't
    /// ask what their protection is.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let memory = OpenOptions::new().write(true).open("/proc/self/mem");
        let address = self.address as u64 + offset;
        memory
            .and_then(|memory| memory.write_all_at(bytes, address))
            .map_err(errno)
    }
}
