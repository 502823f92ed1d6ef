//! Frames that are too long for a message: they lie in a segment, and a short one says where.
//!
//! Whoever has no room for such a segment says so, and the frame counts as never sent. Its sender knows
//! what that means, because it keeps a [`Stake`] for each long frame until the other side has read it.

use std::sync::Arc;

use super::bell::Wake;
use super::bind::{BindError, Bound, place};
use super::{Channel, SendError, Violation};
use crate::segment::extent::Extent;
use crate::segment::mapping::Access;
use crate::tensor::{DType, Tensor};
use crate::wire::codec;
use crate::wire::frame::Frame;
use crate::wire::handle::{Handle, Origin, Terms};

/// What depends on whether the peer reads a long frame. Dropped, the channel has ended before that was
/// known, or the frame was not sent.
pub(crate) trait Stake: Send {
    /// It has read it.
    fn read(self: Box<Self>);

    /// It had no room for it, and treats it as never sent.
    ///
    /// # Errors
    /// If it has done what it could only do after reading it.
    fn unread(self: Box<Self>, reason: String) -> Result<(), Violation>;
}

impl std::fmt::Debug for dyn Stake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stake")
    }
}

/// Nothing depends on it: of a frame that is never long.
impl Stake for () {
    fn read(self: Box<Self>) {}
    fn unread(self: Box<Self>, _: String) -> Result<(), Violation> {
        Ok(())
    }
}

/// A long frame that the peer has yet to read.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(super) extent: Arc<Extent>,
    pub(super) len: usize,
    pub(super) stake: Box<dyn Stake>,
}

impl Channel {
    /// Sends a frame in a segment.
    pub(super) fn send_long(
        &self,
        bytes: &[u8],
        stake: impl FnOnce() -> Box<dyn Stake>,
    ) -> Result<Wake, SendError> {
        let limit_bytes = self.limits.frame_bytes;
        if bytes.len() as u64 > limit_bytes {
            return Err(SendError::TooLong {
                len_bytes: bytes.len() as u64,
                limit_bytes,
            });
        }
        let mut tensor = Tensor::<u8, ndarray::Ix1>::uninit_in(self.home(), bytes.len())?;
        match tensor.located_mut().bytes_of_run_mut() {
            Ok(place) => place.copy_from_slice(bytes),
            Err(error) => unreachable!("a new tensor is not leased: {error}"),
        }
        let extent = tensor.located().extent();
        let segment = self.announce(extent.backing(), Access::Read)?;
        // Before it is sent, because its end may come before this thread goes on.
        let transfer = self.transfers().add_frame(Posted {
            extent: Arc::clone(extent),
            len: bytes.len(),
            stake: stake(),
        });
        let frame = Handle {
            origin: Origin::Sender,
            segment,
            terms: Terms::Moved { transfer },
            dtype: DType::U8 as u8,
            offset_bytes: extent.range().start as u64,
            shape: [bytes.len() as u64].as_slice().into(),
            strides: [1].as_slice().into(),
        };
        let sent = codec::encode(&Frame::Oversize { frame })
            .map_err(SendError::from)
            .and_then(|message| Ok(self.outbox.push(&message, None)?));
        if sent.is_err() {
            let posted = self.transfers().remove_frame(transfer);
            drop(posted);
        }
        sent
    }

    /// Tells whether the peer has yet to read long frames.
    pub(crate) fn has_unread(&self) -> bool {
        !self.transfers().has_no_frames()
    }

    /// Notes that the peer has read a long frame; `false` if there is none under this number.
    pub(super) fn note_read(&self, transfer: u64) -> bool {
        let posted = self.transfers().remove_frame(transfer);
        let is_known = posted.is_some();
        if let Some(posted) = posted {
            posted.stake.read();
        }
        is_known
    }

    /// Notes that the peer had no room for a long frame.
    pub(super) fn note_unread(&self, transfer: u64, reason: &str) -> Result<(), Violation> {
        let posted = self.transfers().remove_frame(transfer);
        let Posted { extent, len, stake } = posted.ok_or_else(|| {
            Violation(format!(
                "could not read transfer {transfer}, which is no long frame under way"
            ))
        })?;
        // Its memory is free for what takes its place.
        drop(extent);
        let reason = crate::readable::shorten(reason, 1024);
        stake.unread(format!("no room for a frame of {len} bytes: {reason}"))
    }

    /// Takes a frame out of the segment it lies in; `None` if there is no room for it here, which the
    /// peer is told.
    pub(super) fn take_long_frame(&self, handle: &Handle) -> Result<Option<Frame>, Violation> {
        let transfer = self.check_long_frame(handle)?;
        match self.copy_long_frame(handle) {
            Ok(bytes) => {
                self.send_or_close(&Frame::Ended { transfer });
                let malformed = |error| Violation(format!("sent a malformed long frame: {error}"));
                Ok(Some(codec::decode(&bytes).map_err(malformed)?))
            }
            Err(BindError::Refused(reason)) => {
                self.send_or_close(&Frame::Unread { transfer, reason });
                Ok(None)
            }
            Err(BindError::Violation(violation)) => Err(violation),
        }
    }

    /// Checks that a handle is one of a frame; returns the number of the transfer.
    fn check_long_frame(&self, handle: &Handle) -> Result<u64, Violation> {
        let Terms::Moved { transfer } = handle.terms else {
            return Err(Violation("sent a long frame that isn't moved".to_owned()));
        };
        let is_run = handle.dtype == DType::U8 as u8 && *handle.strides == [1];
        if handle.origin != Origin::Sender || !is_run {
            return Err(Violation(
                "sent a long frame that isn't a run of bytes".to_owned(),
            ));
        }
        let limit = self.limits().frame_bytes;
        if handle.shape.first().is_none_or(|len| *len > limit) {
            return Err(Violation(format!("sent a frame longer than {limit} bytes")));
        }
        Ok(transfer)
    }

    fn copy_long_frame(&self, handle: &Handle) -> Result<Vec<u8>, BindError> {
        if self.stranger().is_some() {
            return self.read_frame(handle);
        }
        let Bound::Lent(array) = self.borrow_theirs(handle, Access::Read)? else {
            return Err(Violation("sent a long frame that isn't readable".to_owned()).into());
        };
        // The sender gave the bytes away and writes them no more.
        let view = array.view::<u8, ndarray::Ix1>();
        let Some(run) = view.as_ref().and_then(|view| view.as_slice()) else {
            return Err(Violation("sent a long frame that isn't bytes".to_owned()).into());
        };
        let mut bytes = room_for(run.len())?;
        bytes.extend_from_slice(run);
        Ok(bytes)
    }

    /// Copies a run of bytes out of a segment that an untrusted worker may be writing.
    fn read_frame(&self, handle: &Handle) -> Result<Vec<u8>, BindError> {
        let (backing, _) = self.find_theirs(handle, Access::Read)?;
        let place = place(handle, backing.mapping().len(), Access::Read)?.bytes();
        // No longer than the segment, which was checked to have its pages, and than the limit.
        let mut bytes = room_for(place.len())?;
        bytes.resize(place.len(), 0);
        let read = backing.read(place.start, &mut bytes);
        read.map_err(|error| BindError::Refused(error.to_string()))?;
        Ok(bytes)
    }
}

/// Makes room for a frame; and makes sure, as far as can be, of room for what is decoded from it, which
/// has no way to do without.
fn room_for(len: usize) -> Result<Vec<u8>, BindError> {
    let (mut bytes, mut decoded) = (Vec::new(), Vec::<u8>::new());
    let reserved = bytes.try_reserve_exact(len);
    reserved
        .and_then(|()| decoded.try_reserve_exact(len))
        .map_err(|error| BindError::Refused(format!("no memory for {len} bytes: {error}")))?;
    Ok(bytes)
}
