//! Frames that concern segments, on their way from the reader: what the other side announces, takes
//! back, refuses or has let go of.

#[cfg(feature = "posix-shm")]
use super::imports;
use super::socket::Attachment;
use super::{Channel, Violation, announce};
use crate::segment::kind::Segments;
use crate::wire::frame::Frame;

impl Channel {
    /// Deals with a frame that concerns segments; returns one that concerns calls.
    #[inline]
    pub(super) fn accept(
        &self,
        frame: Frame,
        attachment: Attachment,
    ) -> Result<Option<Frame>, Violation> {
        // Most frames, which need nothing here, are moved no further.
        match (&frame, &attachment) {
            (Frame::Call(_) | Frame::Reply(_), Attachment::None) => Ok(Some(frame)),
            _ => self.accept_segment(frame, attachment),
        }
    }

    fn accept_segment(
        &self,
        frame: Frame,
        attachment: Attachment,
    ) -> Result<Option<Frame>, Violation> {
        let is_announcement = matches!(frame, Frame::Segment { .. });
        if !is_announcement && !matches!(attachment, Attachment::None) {
            return Err(Violation(
                "sent a descriptor beside a frame that takes none".to_owned(),
            ));
        }
        match frame {
            Frame::Segment {
                segment,
                len_bytes,
                is_writable,
            } => {
                self.check_kind(Segments::Memfd)?;
                self.import(
                    segment,
                    len_bytes,
                    announce::access_of(is_writable),
                    attachment,
                )?;
            }
            #[cfg(feature = "posix-shm")]
            Frame::NamedSegment {
                segment,
                len_bytes,
                is_writable,
                name,
            } => {
                self.check_kind(Segments::Named)?;
                self.check_room()?;
                let access = announce::access_of(is_writable);
                let mapped = self.admit(len_bytes, || imports::map_named(&name, len_bytes, access));
                self.note_import(segment, access, mapped)?;
            }
            #[cfg(not(feature = "posix-shm"))]
            Frame::NamedSegment { .. } => return Err(announce::wrong_kind()),
            Frame::Forget { segment } => {
                let (was_known, import) = self.imports().forget(segment);
                drop(import);
                if !was_known {
                    return Err(Violation(format!(
                        "took back segment {segment}, which it never announced"
                    )));
                }
            }
            Frame::Refused { segment, reason } => {
                tracing::debug!(segment, reason, "the peer can't use a segment");
                if !self.exports().refused(segment) {
                    return Err(Violation(format!(
                        "refused segment {segment}, which it never got"
                    )));
                }
            }
            Frame::Ended { transfer } => {
                let extent = self.transfers().remove(transfer);
                if extent.is_none() && !self.note_read(transfer) {
                    return Err(Violation(format!(
                        "ended transfer {transfer}, which isn't under way"
                    )));
                }
            }
            Frame::Unread { transfer, reason } => self.note_unread(transfer, &reason)?,
            // It has done its work by waking the reader.
            Frame::Bell => {}
            Frame::Oversize { frame } => return self.take_long_frame(&frame),
            frame => return Ok(Some(frame)),
        }
        Ok(None)
    }
}
