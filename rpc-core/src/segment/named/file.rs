//! The files that carry tensors: how they are made, and what is checked before one is mapped.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};

use rustix::fs::{FallocateFlags, OFlags};

use super::owner::Owner;
use super::{new_name, path, shortage};
use crate::segment::backing::SegmentIdentity;
use crate::segment::budget::Shortage;
use crate::segment::mapping::Access;
use crate::segment::memfd::{self, Unfit};

/// Who may open a segment: processes of its user.
const MODE: u32 = 0o600;
/// The permissions among the bits of a file's mode.
const PERMISSIONS: u32 = 0o7777;

/// The name of a segment. Where it was made up, dropping it unlinks it.
#[derive(Debug)]
pub(crate) struct Name {
    name: String,
    /// The process that unlinks it; none for a peer's.
    unlinker: Option<u32>,
}

/// Why a name that a peer sent is no segment.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// It can't be one that a peer would send.
    Unfit(String),
    /// It can't be opened, for want of descriptors or because it is gone.
    Refused(io::Error),
}

/// Makes a segment of `len` bytes whose pages are reserved.
///
/// The caller has checked `len` against the budget and RLIMIT_FSIZE.
pub(crate) fn create(len: usize) -> Result<(OwnedFd, Name), Shortage> {
    let name = new_name().map_err(Shortage::Reservation)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path(&name))
        .map_err(Shortage::Descriptors)?;
    // Dropped on an error, it is unlinked again.
    let name = Name {
        name,
        unlinker: Some(std::process::id()),
    };
    // Whatever the umask took away.
    let permissions = Permissions::from_mode(MODE);
    file.set_permissions(permissions)
        .map_err(Shortage::Reservation)?;
    rustix::io::retry_on_intr(|| {
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len as u64)
    })
    .map_err(|error| shortage(error.into()))?;
    Ok((file.into(), name))
}

/// Opens a segment that a peer announced, for `access`, and checks that it is one of this user, in
/// ordinary shared memory, of exactly `announced` bytes, all of them reserved.
pub(crate) fn open(
    name: &str,
    announced: usize,
    access: Access,
) -> Result<(OwnedFd, Name), OpenError> {
    if Owner::of_name(name).is_none() {
        let what = "its name isn't one that a process of reedbed makes up";
        return Err(OpenError::Unfit(what.to_owned()));
    }
    // A link must not lead elsewhere, and a pipe must not hold this process up.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .write(access != Access::Read)
        .custom_flags(flags.bits().cast_signed())
        .open(path(name))
        .map_err(OpenError::Refused)?;
    check(&file, announced).map_err(OpenError::Unfit)?;
    let name = Name {
        name: name.to_owned(),
        unlinker: None,
    };
    Ok((file.into(), name))
}

fn check(file: &File, announced: usize) -> Result<(), String> {
    let unfit = |unfit: Unfit| unfit.to_string();
    let metadata = file.metadata().map_err(|error| unfit(Unfit::Io(error)))?;
    let user = rustix::process::geteuid().as_raw();
    let mode = metadata.mode() & PERMISSIONS;
    if !metadata.is_file() || metadata.uid() != user || mode != MODE {
        let owner = metadata.uid();
        return Err(format!(
            "it isn't a file of user {user} alone (it belongs to user {owner}, mode {mode:o})"
        ));
    }
    memfd::check_pages(file, announced).map_err(unfit)
}

impl Name {
    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.name
    }

    /// Tells whether another process that is told the name will find the segment.
    pub(crate) fn leads_to(&self, identity: SegmentIdentity) -> bool {
        // What this process made has its name as long as it lives.
        self.unlinker == Some(std::process::id())
            || fs::symlink_metadata(path(&self.name))
                .is_ok_and(|file| (file.dev(), file.ino()) == (identity.device, identity.inode))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // A forked child doesn't unlink what is its parent's.
        if self.unlinker == Some(std::process::id()) {
            let _ = fs::remove_file(path(&self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfit(name: &str, announced: usize) -> String {
        match open(name, announced, Access::Read) {
            Err(OpenError::Unfit(what)) => what,
            Err(OpenError::Refused(error)) => panic!("{error}"),
            Ok(_) => panic!("`{name}` was opened"),
        }
    }

    #[test]
    fn what_is_made_can_be_opened_until_it_is_dropped() {
        let (fd, name) = create(8192).unwrap();
        let (opened, theirs) = open(name.as_str(), 8192, Access::ReadWrite).unwrap();
        assert_eq!(
            memfd::identity(&fd).unwrap(),
            memfd::identity(&opened).unwrap()
        );
        drop(theirs);
        let text = name.as_str().to_owned();
        assert!(path(&text).exists(), "it is its maker's to unlink");
        drop(name);
        assert!(!path(&text).exists());
        assert!(matches!(
            open(&text, 8192, Access::Read),
            Err(OpenError::Refused(error)) if error.kind() == io::ErrorKind::NotFound
        ));
    }

    #[test]
    fn other_names_files_and_lengths_are_unfit() {
        assert!(unfit("../../etc/passwd", 1).contains("its name isn't one"));
        let (_fd, name) = create(4096).unwrap();
        let said = "it has 4096 bytes where 8192 were announced";
        assert_eq!(unfit(name.as_str(), 8192), said);
        fs::set_permissions(path(name.as_str()), Permissions::from_mode(0o644)).unwrap();
        assert!(unfit(name.as_str(), 4096).ends_with("mode 644)"));

        let sparse = Name {
            name: new_name().unwrap(),
            unlinker: Some(std::process::id()),
        };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(path(sparse.as_str()))
            .unwrap();
        file.set_len(1 << 20).unwrap();
        let said = "not all of its pages are reserved";
        assert_eq!(unfit(sparse.as_str(), 1 << 20), said);
    }

    #[test]
    fn what_is_opened_for_reading_can_not_be_written() {
        let (_fd, name) = create(4096).unwrap();
        let (opened, _) = open(name.as_str(), 4096, Access::Read).unwrap();
        assert!(rustix::io::write(&opened, b"x").is_err());
    }
}
