//! Named segments: files of `/dev/shm`, which other programs find by their name.
//!
//! A memfd is gone with its last user; a name stays until somebody unlinks it. So the names that
//! this crate makes up say which process they belong to ([`owner`]), and are unlinked when that
//! process drops them, exits ([`exit`]), or is found dead by another one ([`collect`]).
//!
//! - [`file`] makes and opens those that carry tensors;
//! - [`foreign`] is the public [`ForeignSegment`](crate::ForeignSegment), shared with programs that
//!   know nothing of this crate; [`error`] says how it can fail.

mod error;
mod exit;
pub(crate) mod file;

mod foreign;
mod owner;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

pub use error::ForeignError;
pub(crate) use exit::leave_to_host;
pub use foreign::ForeignSegment;
use owner::Owner;

use super::budget::Shortage;

/// Where the kernel keeps named segments: the place that `shm_open` looks at.
const FOLDER: &str = "/dev/shm";

/// The file of a segment.
fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Makes up a name that belongs to this process. The first time, it also unlinks what dead
/// processes have left behind.
fn new_name() -> io::Result<String> {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        exit::unlink_at_exit();
        collect();
    });
    Ok(Owner::this_process()?.new_name())
}

/// Unlinks the names whose owners are dead.
pub(crate) fn collect() {
    unlink_where(|owner| !owner.is_alive());
}

/// Unlinks the names of this process: it is about to end.
pub(crate) fn unlink_own() {
    if let Ok(own) = Owner::this_process() {
        unlink_where(|owner| *owner == own);
    }
}

/// Unlinks the names of this user's processes that `is_wanted`. What can't be read or unlinked is
/// passed over.
fn unlink_where(is_wanted: impl Fn(&Owner) -> bool) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(Owner::of_name) else {
            continue;
        };
        let is_ours = entry.metadata().is_ok_and(|file| file.uid() == user);
        if is_ours && is_wanted(&owner) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What to say where the kernel can't reserve the pages of a named segment.
fn shortage(error: io::Error) -> Shortage {
    if error.kind() != io::ErrorKind::StorageFull {
        return Shortage::Reservation(error);
    }
    let space = rustix::fs::statvfs(FOLDER).ok();
    let bytes = |blocks: fn(&rustix::fs::StatVfs) -> u64| {
        space
            .as_ref()
            .map_or(0, |space| blocks(space) * space.f_frsize)
    };
    Shortage::NamedSegments {
        size_bytes: bytes(|space| space.f_blocks),
        free_bytes: bytes(|space| space.f_bavail),
    }
}
