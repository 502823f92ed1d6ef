//! `Call` and `Reply`, read and written by hand.
//!
//! They are most of what is ever said, and going through serde and bincode takes longer than all else
//! that is done for a short call. What is read or written here is what [`codec`](super::codec) reads
//! and writes, byte for byte; whatever is out of the ordinary is left to it. A test compares both.

use super::codec::Bytes;
use super::frame::{CallFrame, Frame, Outcome, ReplyFrame};
use super::handle::{Handle, Origin, Terms};

const CALL: u32 = 4;
const REPLY: u32 = 5;
const RETURNED: u32 = 0;

/// The shortest handle: of no dimensions.
const SHORTEST_HANDLE: usize = 41;

/// Appends the bytes of a frame; `false` if it is one that is left to the codec.
pub(super) fn encode_into(frame: &Frame, bytes: &mut Vec<u8>) -> bool {
    match frame {
        Frame::Call(call) if call.trace.is_none() => {
            bytes.extend(CALL.to_le_bytes());
            bytes.extend(call.call.to_le_bytes());
            bytes.extend(call.function.to_le_bytes());
            match call.time_left_ns {
                None => bytes.push(0),
                Some(time) => {
                    bytes.push(1);
                    bytes.extend(time.to_le_bytes());
                }
            }
            bytes.push(0);
            write_handles(&call.handles, bytes);
            write_run(&call.inline, bytes);
            write_run(&call.body, bytes);
            true
        }
        Frame::Reply(ReplyFrame {
            call,
            outcome:
                Outcome::Returned {
                    handles,
                    inline,
                    body,
                    copied_bytes,
                },
        }) => {
            bytes.extend(REPLY.to_le_bytes());
            bytes.extend(call.to_le_bytes());
            bytes.extend(RETURNED.to_le_bytes());
            write_handles(handles, bytes);
            write_run(inline, bytes);
            write_run(body, bytes);
            bytes.extend(copied_bytes.to_le_bytes());
            true
        }
        _ => false,
    }
}

fn write_run(run: &Bytes, bytes: &mut Vec<u8>) {
    bytes.extend((run.0.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&run.0);
}

fn write_handles(handles: &[Handle], bytes: &mut Vec<u8>) {
    bytes.extend((handles.len() as u64).to_le_bytes());
    for handle in handles {
        bytes.extend((handle.origin as u32).to_le_bytes());
        bytes.extend(handle.segment.to_le_bytes());
        let (terms, transfer) = match handle.terms {
            Terms::Read => (0u32, None),
            Terms::ReadWrite => (1, None),
            Terms::Moved { transfer } => (2, Some(transfer)),
            Terms::Returned { transfer } => (3, Some(transfer)),
            Terms::Shared { transfer } => (4, Some(transfer)),
        };
        bytes.extend(terms.to_le_bytes());
        if let Some(transfer) = transfer {
            bytes.extend(transfer.to_le_bytes());
        }
        bytes.push(handle.dtype);
        bytes.extend(handle.offset_bytes.to_le_bytes());
        bytes.extend((handle.shape.len() as u64).to_le_bytes());
        handle
            .shape
            .iter()
            .for_each(|n| bytes.extend(n.to_le_bytes()));
        bytes.extend((handle.strides.len() as u64).to_le_bytes());
        handle
            .strides
            .iter()
            .for_each(|n| bytes.extend(n.to_le_bytes()));
    }
}

/// Reads a frame that takes all of `bytes`; `None` if that is left to the codec, malformed or not.
#[inline]
pub(super) fn decode(bytes: &[u8]) -> Option<Frame> {
    let mut rest = Rest(bytes);
    let frame = match rest.u32()? {
        CALL => Frame::Call(CallFrame {
            call: rest.u64()?,
            function: rest.u64()?,
            time_left_ns: match rest.u8()? {
                0 => None,
                1 => Some(rest.u64()?),
                _ => return None,
            },
            trace: (rest.u8()? == 0).then_some(None)?,
            handles: rest.handles()?,
            inline: rest.run()?,
            body: rest.run()?,
        }),
        REPLY => Frame::Reply(ReplyFrame {
            call: rest.u64()?,
            outcome: match rest.u32()? {
                RETURNED => Outcome::Returned {
                    handles: rest.handles()?,
                    inline: rest.run()?,
                    body: rest.run()?,
                    copied_bytes: rest.u64()?,
                },
                _ => return None,
            },
        }),
        _ => return None,
    };
    rest.0.is_empty().then_some(frame)
}

/// The bytes that were not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// The number of things that follow, each of which takes `size` bytes at least.
    fn len(&mut self, size: usize) -> Option<usize> {
        let n = usize::try_from(self.u64()?).ok()?;
        (n <= self.0.len() / size).then_some(n)
    }

    fn run(&mut self) -> Option<Bytes> {
        let len = self.len(1)?;
        let (run, rest): (&'a [u8], _) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(Bytes(run.to_vec()))
    }

    fn handles(&mut self) -> Option<Vec<Handle>> {
        let n = self.len(SHORTEST_HANDLE)?;
        (0..n).map(|_| self.handle()).collect()
    }

    fn handle(&mut self) -> Option<Handle> {
        Some(Handle {
            origin: match self.u32()? {
                0 => Origin::Sender,
                1 => Origin::Receiver,
                2 => Origin::Frame,
                _ => return None,
            },
            segment: self.u64()?,
            terms: match self.u32()? {
                0 => Terms::Read,
                1 => Terms::ReadWrite,
                2 => Terms::Moved {
                    transfer: self.u64()?,
                },
                3 => Terms::Returned {
                    transfer: self.u64()?,
                },
                4 => Terms::Shared {
                    transfer: self.u64()?,
                },
                _ => return None,
            },
            dtype: self.u8()?,
            offset_bytes: self.u64()?,
            shape: {
                let n = self.len(size_of::<u64>())?;
                (0..n).map(|_| self.u64()).collect::<Option<_>>()?
            },
            strides: {
                let n = self.len(size_of::<i64>())?;
                let stride = |_| self.take().map(i64::from_le_bytes);
                (0..n).map(stride).collect::<Option<_>>()?
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::codec;

    fn runs() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes)
    }

    fn handles() -> impl Strategy<Value = Vec<Handle>> {
        let origin = prop_oneof![
            Just(Origin::Sender),
            Just(Origin::Receiver),
            Just(Origin::Frame)
        ];
        let terms = prop_oneof![
            Just(Terms::Read),
            Just(Terms::ReadWrite),
            any::<u64>().prop_map(|transfer| Terms::Moved { transfer }),
            any::<u64>().prop_map(|transfer| Terms::Returned { transfer }),
            any::<u64>().prop_map(|transfer| Terms::Shared { transfer }),
        ];
        let layout = (
            any::<u64>(),
            prop::collection::vec(any::<u64>(), 0..4),
            prop::collection::vec(any::<i64>(), 0..4),
        );
        let handle = (origin, any::<u64>(), terms, any::<u8>(), layout).prop_map(
            |(origin, segment, terms, dtype, (offset_bytes, shape, strides))| Handle {
                origin,
                segment,
                terms,
                dtype,
                offset_bytes,
                shape: shape.into(),
                strides: strides.into(),
            },
        );
        prop::collection::vec(handle, 0..3)
    }

    fn frames() -> impl Strategy<Value = Frame> {
        let call = (
            any::<[u64; 2]>(),
            any::<Option<u64>>(),
            handles(),
            runs(),
            runs(),
        );
        let call = call.prop_map(|([call, function], time_left_ns, handles, inline, body)| {
            Frame::Call(CallFrame {
                call,
                function,
                time_left_ns,
                trace: None,
                handles,
                inline,
                body,
            })
        });
        let reply = (any::<[u64; 2]>(), handles(), runs(), runs());
        let reply = reply.prop_map(|([call, copied_bytes], handles, inline, body)| {
            let outcome = Outcome::Returned {
                handles,
                inline,
                body,
                copied_bytes,
            };
            Frame::Reply(ReplyFrame { call, outcome })
        });
        prop_oneof![call, reply]
    }

    proptest! {
        #[test]
        fn both_write_the_same_and_read_each_other(frame in frames()) {
            let mut quick = Vec::new();
            prop_assert!(encode_into(&frame, &mut quick));
            let mut slow = Vec::new();
            codec::encode_into(&frame, &mut slow).unwrap();
            prop_assert_eq!(&quick, &slow);
            prop_assert_eq!(decode(&quick), Some(frame));
        }

        #[test]
        fn what_is_read_here_is_what_the_codec_reads(
            frame in frames(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            keep in any::<prop::sample::Index>(),
        ) {
            let mut bytes = codec::encode(&frame).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(keep.index(bytes.len() * 2).max(1));
            if let Some(frame) = decode(&bytes) {
                prop_assert_eq!(codec::decode::<Frame>(&bytes), Ok(frame));
            }
        }
    }
}
