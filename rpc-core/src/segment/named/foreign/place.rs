//! Files in `/dev/shm` that any program may have made: their names, and what is checked of them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::fs::{FallocateFlags, OFlags};
use shared_memory::ShmemError;

use super::super::error::ForeignError;
use super::super::{path, shortage};
use crate::segment::backing::SegmentIdentity;
use crate::segment::budget::ShmExhausted;

/// The longest name of a file.
const NAME_BYTES: usize = 255;

/// Checks a name, and takes the slash off that it may begin with.
pub(super) fn valid(name: &str) -> Result<&str, ForeignError> {
    let stem = name.strip_prefix('/').unwrap_or(name);
    let reason = match stem {
        "" => "it is empty",
        "." | ".." => "it means a folder",
        _ if stem.contains('/') => "it has a slash inside",
        _ if stem.contains('\0') => "it has a zero byte",
        _ if stem.len() > NAME_BYTES => "it is longer than 255 bytes",
        _ => return Ok(stem),
    };
    let name = name.to_owned();
    Err(ForeignError::Name { name, reason })
}

pub(super) fn open_file(name: &str) -> Result<File, ForeignError> {
    // A link, or a pipe that nobody reads, must not hold this process up.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path(name));
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ForeignError::Vanished {
            name: name.to_owned(),
        },
        io::ErrorKind::PermissionDenied => ForeignError::Denied {
            name: name.to_owned(),
            owner: fs::symlink_metadata(path(name)).map_or(u32::MAX, |file| file.uid()),
            user: rustix::process::geteuid().as_raw(),
        },
        _ => system(name, error),
    })
}

/// Reserves the pages, so that nobody's access faults for want of memory.
pub(super) fn reserve(file: &File, len: usize) -> Result<(), ForeignError> {
    rustix::io::retry_on_intr(|| {
        rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len as u64)
    })
    .map_err(|error| ShmExhausted::new(len, shortage(error.into())).into())
}

/// The length and the identity of a segment's file.
pub(super) fn stat(file: &File) -> io::Result<(usize, SegmentIdentity)> {
    let file = file.metadata()?;
    if !file.is_file() {
        return Err(io::Error::other("it isn't a file"));
    }
    let len = usize::try_from(file.len()).map_err(io::Error::other)?;
    Ok((len, identity(&file)))
}

/// The identity of what has a name now.
pub(super) fn identity_of(name: &str) -> Option<SegmentIdentity> {
    fs::symlink_metadata(path(name))
        .ok()
        .map(|file| identity(&file))
}

fn identity(file: &fs::Metadata) -> SegmentIdentity {
    SegmentIdentity {
        device: file.dev(),
        inode: file.ino(),
    }
}

pub(super) fn system(name: &str, source: io::Error) -> ForeignError {
    ForeignError::System {
        name: name.to_owned(),
        source,
    }
}

/// The crate's error in our words.
pub(super) fn refusal(name: &str, error: ShmemError) -> ForeignError {
    let source = match error {
        ShmemError::MappingIdExists => {
            return ForeignError::Exists {
                name: name.to_owned(),
            };
        }
        ShmemError::MapCreateFailed(code)
        | ShmemError::MapOpenFailed(code)
        | ShmemError::UnknownOsError(code) => io::Error::from_raw_os_error(code.cast_signed()),
        error => io::Error::other(error),
    };
    if source.kind() == io::ErrorKind::NotFound {
        return ForeignError::Vanished {
            name: name.to_owned(),
        };
    }
    system(name, source)
}
