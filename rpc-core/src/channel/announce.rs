//! Segments that one side tells the other of: announced, refused, forgotten.

use std::sync::{Arc, Weak};

use rustix::process::{Resource, getrlimit};

use super::imports::{self, ImportError};
use super::outbox::Descriptor;
use super::socket::Attachment;
use super::{Channel, SendError, Violation};
use crate::segment::backing::Backing;
use crate::segment::kind::Segments;
use crate::segment::mapping::Access;
use crate::segment::stranger::{Reach, Stranger};
use crate::segment::{memfd, pool};
use crate::wire::codec;
use crate::wire::frame::Frame;

/// An untrusted worker may have one in so many of its host's descriptors.
const STRANGERS_SHARE: u64 = 8;

/// Segments that a peer may be ahead of the limit, because its threads announce at once.
const SEGMENT_SLACK: usize = 256;

impl Channel {
    pub(super) fn import(
        &self,
        segment: u64,
        len_bytes: u64,
        access: Access,
        attachment: Attachment,
    ) -> Result<(), Violation> {
        self.check_room()?;
        let mapped = match (attachment, self.stranger) {
            (Attachment::Some(_), Some(_)) if self.has_its_share() => Err(ImportError::Refused(
                "the worker isn't trusted, and has an eighth of its host's file descriptors \
                 already (RLIMIT_NOFILE)"
                    .to_owned(),
            )),
            (Attachment::Some(fd), Some(stranger)) => self.admit(len_bytes, || {
                imports::map_apart(fd, len_bytes, access, stranger)
            }),
            (Attachment::Some(fd), None) => self.admit(len_bytes, || {
                imports::map(fd, len_bytes, access, self.keeps_descriptors)
            }),
            (Attachment::Lost, _) => Err(ImportError::Refused(
                "the table of file descriptors is full (RLIMIT_NOFILE)".to_owned(),
            )),
            (Attachment::None, _) => {
                return Err(Violation(format!(
                    "announced segment {segment} without a descriptor"
                )));
            }
        };
        self.note_import(segment, access, mapped)
    }

    /// Tells whether the peer, which isn't trusted, has as many of this process's descriptors as it
    /// may.
    fn has_its_share(&self) -> bool {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        self.imports().n_mappings() as u64 >= limit / STRANGERS_SHARE
    }

    /// Checks that a segment may be announced to a worker that isn't trusted, and notes that it was.
    fn show(&self, backing: &Backing, access: Access, stranger: Stranger) -> Result<(), SendError> {
        let is_made_for_it = match access {
            Access::Read => backing.reach() == Reach::Guarded,
            Access::ReadWrite => {
                backing.reach() == Reach::Exposed && backing.audience().is_only(stranger)
            }
            Access::Shared => backing.reach() == Reach::Exposed && backing.is_own(),
        };
        if !is_made_for_it {
            return Err(SendError::Untrusted);
        }
        backing.audience().admit(stranger);
        Ok(())
    }

    /// Maps a segment, by `map`, if the peer may make so much.
    pub(super) fn admit(
        &self,
        len_bytes: u64,
        map: impl FnOnce() -> Result<Arc<Backing>, ImportError>,
    ) -> Result<Arc<Backing>, ImportError> {
        let admitted = self.account.admit(len_bytes);
        let counted = admitted.map_err(ImportError::Refused)?;
        let backing = map()?;
        if counted.is_counted() {
            backing.on_drop(move || drop(counted));
        }
        Ok(backing)
    }

    /// Checks that the peer announces segments of the kind that both agreed on.
    pub(super) fn check_kind(&self, announced: Segments) -> Result<(), Violation> {
        if announced == self.segments {
            return Ok(());
        }
        Err(wrong_kind())
    }

    /// Checks that the peer hasn't announced more segments than it may.
    pub(super) fn check_room(&self) -> Result<(), Violation> {
        let n_segments = self.limits.n_segments as usize;
        // Threads of the sender may each be one ahead.
        if self.imports().len() > n_segments + SEGMENT_SLACK {
            return Err(Violation(format!(
                "announced more than {n_segments} segments"
            )));
        }
        Ok(())
    }

    pub(super) fn note_import(
        &self,
        segment: u64,
        access: Access,
        mapped: Result<Arc<Backing>, ImportError>,
    ) -> Result<(), Violation> {
        match mapped {
            Ok(backing) => {
                let surplus = self.imports().insert(segment, access, backing);
                drop(surplus);
                Ok(())
            }
            Err(ImportError::Violation(what)) => Err(Violation(what)),
            Err(ImportError::Refused(reason)) => {
                self.imports().refuse(segment, &reason);
                self.send_or_close(&Frame::Refused { segment, reason });
                Ok(())
            }
        }
    }

    /// Makes sure that the peer knows `backing` for `access`; returns its number there.
    pub(super) fn announce(
        &self,
        backing: &Arc<Backing>,
        access: Access,
    ) -> Result<u64, SendError> {
        if backing.segments() != self.segments {
            return Err(SendError::OtherSegments);
        }
        match self.stranger {
            Some(stranger) => self.show(backing, access, stranger)?,
            // It would look at what somebody else may write at any moment, which cells alone are for.
            None if access != Access::Shared && backing.reach() == Reach::Exposed => {
                return Err(SendError::Exposed);
            }
            None => {}
        }
        let n_segments = self.limits.n_segments;
        {
            let exports = self.exports();
            if exports.len() >= n_segments as usize && !exports.contains(backing) {
                drop(exports);
                // Idle segments that the peer still knows may be all that is in the way.
                pool::trim_pool();
                if self.exports().len() >= n_segments as usize {
                    return Err(SendError::TooManySegments { n_segments });
                }
            }
        }
        // The list stays locked until the announcement is on its way, so that whoever finds the
        // segment named sends its handle behind it.
        let mut exports = self.exports();
        let named = exports.name(backing, access);
        if named.is_first {
            let (channel, uid) = (Weak::clone(&self.this), backing.uid());
            backing.on_drop(move || {
                if let Some(channel) = channel.upgrade() {
                    channel.forget(uid);
                }
            });
        }
        if !named.is_new {
            return Ok(named.segment);
        }
        let announced = self.push_announcement(backing, access, named.segment);
        if announced.is_err() {
            if named.is_first {
                // The peer has never heard of it, so there will be nothing to take back.
                exports.forget(backing.uid());
            } else {
                exports.unname(backing, access);
            }
        }
        announced.map(|()| named.segment)
    }

    fn push_announcement(
        &self,
        backing: &Arc<Backing>,
        access: Access,
        segment: u64,
    ) -> Result<(), SendError> {
        #[cfg(feature = "posix-shm")]
        if backing.segments() == Segments::Named {
            let frame = Frame::NamedSegment {
                segment,
                len_bytes: backing.mapping().len() as u64,
                is_writable: access != Access::Read,
                name: backing.name().ok_or(SendError::NotForwardable)?.to_owned(),
            };
            self.outbox.push(&codec::encode(&frame)?, None)?;
            return Ok(());
        }
        let fd = backing.fd().ok_or(SendError::NotForwardable)?;
        let descriptor = match access {
            Access::ReadWrite | Access::Shared => Descriptor::Segment(Arc::clone(backing)),
            Access::Read => {
                let fd = memfd::reopen_read_only(fd).map_err(SendError::NoDescriptor)?;
                Descriptor::Own(fd)
            }
        };
        let frame = Frame::Segment {
            segment,
            len_bytes: backing.mapping().len() as u64,
            is_writable: access != Access::Read,
        };
        self.outbox
            .push(&codec::encode(&frame)?, Some(descriptor))?;
        Ok(())
    }

    /// Tells the peer that a segment is no more.
    pub(super) fn forget(&self, uid: u64) {
        let segment = self.exports().forget(uid);
        if let Some(segment) = segment {
            // A peer that is gone has forgotten it already.
            let _ = self.send(&Frame::Forget { segment });
        }
    }
}

/// What a segment is announced for.
pub(super) fn access_of(is_writable: bool) -> Access {
    if is_writable {
        Access::ReadWrite
    } else {
        Access::Read
    }
}

pub(super) fn wrong_kind() -> Violation {
    Violation("announced a segment of another kind than was agreed on".to_owned())
}

/// Tells whether a segment that a peer doesn't know can be announced to it.
pub(super) fn is_nameable(backing: &Backing) -> bool {
    #[cfg(feature = "posix-shm")]
    if backing.segments() == Segments::Named {
        return backing.name().is_some();
    }
    // Without its descriptor, announcing it says so.
    let _ = backing;
    true
}

#[cfg(test)]
mod tests {
    use super::super::Terms;
    use super::super::exposed::Exposed;
    use super::super::socket::{self, Socket};
    use super::*;
    use ndarray::Array1;

    #[test]
    fn what_a_stranger_may_write_is_not_announced_to_a_trusted_peer() {
        let (ours, _theirs) = socket::pair().unwrap();
        let channel = Channel::new(Socket::new(ours), Terms::of_a_test()).unwrap();
        let exposed = Exposed::copy_of(&Array1::from_elem(8, 1u8), Stranger::new()).unwrap();
        let backing = exposed.extent().backing();
        for access in [Access::Read, Access::ReadWrite] {
            let announced = channel.announce(backing, access);
            assert!(matches!(announced, Err(SendError::Exposed)), "{access:?}");
        }
        // Cells are looked at by atomics alone.
        assert!(channel.announce(backing, Access::Shared).is_ok());
    }
}
