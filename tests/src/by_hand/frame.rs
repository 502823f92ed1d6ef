//! Frames: functions to write them, and a type for those that are read.

use super::bytes::{Bytes, Reader};
use super::handle::Handle;

/// Announces a segment.
#[must_use]
pub fn segment(segment: u64, len_bytes: u64, is_writable: bool) -> Vec<u8> {
    Bytes::new()
        .u32(0)
        .u64(segment)
        .u64(len_bytes)
        .u8(is_writable.into())
        .done()
}

/// Announces a segment by its name.
#[must_use]
pub fn named_segment(segment: u64, len_bytes: u64, is_writable: bool, name: &str) -> Vec<u8> {
    Bytes::new()
        .u32(14)
        .u64(segment)
        .u64(len_bytes)
        .u8(is_writable.into())
        .run(name)
        .done()
}

/// Takes a segment back.
#[must_use]
pub fn forget(segment: u64) -> Vec<u8> {
    Bytes::new().u32(1).u64(segment).done()
}

/// Refuses a segment of the receiver's.
#[must_use]
pub fn refused(segment: u64, reason: &str) -> Vec<u8> {
    Bytes::new().u32(2).u64(segment).run(reason).done()
}

/// Ends a transfer.
#[must_use]
pub fn ended(transfer: u64) -> Vec<u8> {
    Bytes::new().u32(3).u64(transfer).done()
}

/// Calls a function.
#[must_use]
pub fn call(call: u64, function: u64, handles: &[Handle], body: &[u8]) -> Vec<u8> {
    call_inline(call, function, handles, &[], body)
}

/// Calls a function with elements in the frame.
#[must_use]
pub fn call_inline(
    call: u64,
    function: u64,
    handles: &[Handle],
    inline: &[u8],
    body: &[u8],
) -> Vec<u8> {
    Bytes::new()
        .u32(4)
        .raw(&request_inline(call, function, handles, inline, body))
        .done()
}

/// The fields of a call, from its number on.
#[must_use]
pub fn request(call: u64, function: u64, handles: &[Handle], body: &[u8]) -> Vec<u8> {
    request_inline(call, function, handles, &[], body)
}

fn request_inline(
    call: u64,
    function: u64,
    handles: &[Handle],
    inline: &[u8],
    body: &[u8],
) -> Vec<u8> {
    let bytes = Bytes::new().u64(call).u64(function).u8(0).u8(0);
    bytes
        .list(handles, |bytes, handle| handle.write(bytes))
        .run(inline)
        .run(body)
        .done()
}

/// Answers a call with a result.
#[must_use]
pub fn returned(call: u64, handles: &[Handle], body: &[u8]) -> Vec<u8> {
    returned_inline(call, handles, &[], body)
}

/// Answers a call with a result whose elements are in the frame.
#[must_use]
pub fn returned_inline(call: u64, handles: &[Handle], inline: &[u8], body: &[u8]) -> Vec<u8> {
    let bytes = Bytes::new().u32(5).u64(call).u32(0);
    bytes
        .list(handles, |bytes, handle| handle.write(bytes))
        .run(inline)
        .run(body)
        .u64(0)
        .done()
}

/// Answers a call with `SegmentRefused`.
#[must_use]
pub fn segment_refused(call: u64, reason: &str) -> Vec<u8> {
    Bytes::new()
        .u32(5)
        .u64(call)
        .u32(1)
        .u32(2)
        .run(reason)
        .done()
}

/// Answers a call with `NotReturned`.
#[must_use]
pub fn not_returned(call: u64, reason: &str) -> Vec<u8> {
    let failed = Bytes::new().u32(5).u64(call).u32(1);
    failed.u32(5).run(reason).done()
}

/// Cancels a call.
#[must_use]
pub fn cancel(call: u64) -> Vec<u8> {
    Bytes::new().u32(6).u64(call).done()
}

/// Ends a call without an answer.
#[must_use]
pub fn released(call: u64, has_begun: bool) -> Vec<u8> {
    Bytes::new().u32(7).u64(call).u8(has_begun.into()).done()
}

/// Asks what a module consists of.
#[must_use]
pub fn describe(call: u64, module: &str) -> Vec<u8> {
    Bytes::new().u32(8).u64(call).run(module).done()
}

/// Says what a module consists of.
#[must_use]
pub fn described(call: u64, module: &Module) -> Vec<u8> {
    let bytes = Bytes::new().u32(9).u64(call).u8(1);
    bytes
        .run(&module.name)
        .run(&module.docs)
        .list(&module.functions, |bytes, function| {
            bytes
                .run(&function.name)
                .run(&function.docs)
                .list(&function.arguments, |bytes, (name, ty)| {
                    bytes.run(name).run(ty)
                })
                .run(&function.returns)
        })
        .done()
}

/// Says where a long frame lies.
#[must_use]
pub fn oversize(frame: &Handle) -> Vec<u8> {
    frame.write(Bytes::new().u32(10)).done()
}

/// Says that there was no room for a long frame.
#[must_use]
pub fn unread(transfer: u64, reason: &str) -> Vec<u8> {
    Bytes::new().u32(18).u64(transfer).run(reason).done()
}

/// Asks the worker to exit.
#[must_use]
pub fn shutdown() -> Vec<u8> {
    Bytes::new().u32(11).done()
}

/// Carries a message of tarpc's.
#[must_use]
pub fn tarpc(message: &[u8]) -> Vec<u8> {
    Bytes::new().u32(12).run(message).done()
}

/// Wakes a side that waits for its ring.
#[must_use]
pub fn bell() -> Vec<u8> {
    Bytes::new().u32(15).done()
}

/// Asks whether a worker still reads.
#[must_use]
pub fn ping(n: u64) -> Vec<u8> {
    Bytes::new().u32(16).u64(n).done()
}

/// Says that a worker still reads.
#[must_use]
pub fn pong(n: u64) -> Vec<u8> {
    Bytes::new().u32(17).u64(n).done()
}

/// Says that an instance is no longer needed.
#[must_use]
pub fn dropped(instance: u64) -> Vec<u8> {
    Bytes::new().u32(13).u64(instance).done()
}

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of docs/wire.md")]
pub enum Frame {
    Segment {
        segment: u64,
        len_bytes: u64,
        is_writable: bool,
    },
    NamedSegment {
        segment: u64,
        len_bytes: u64,
        is_writable: bool,
        name: String,
    },
    Forget {
        segment: u64,
    },
    Refused {
        segment: u64,
        reason: String,
    },
    Ended {
        transfer: u64,
    },
    Call {
        call: u64,
        function: u64,
        handles: Vec<Handle>,
        inline: Vec<u8>,
        body: Vec<u8>,
    },
    Returned {
        call: u64,
        handles: Vec<Handle>,
        inline: Vec<u8>,
        body: Vec<u8>,
    },
    Failed {
        call: u64,
        failure: Failure,
    },
    Cancel {
        call: u64,
    },
    Released {
        call: u64,
        has_begun: bool,
    },
    Describe {
        call: u64,
        module: String,
    },
    Description {
        call: u64,
        module: Option<Module>,
    },
    Oversize {
        frame: Handle,
    },
    Shutdown,
    Tarpc {
        message: Vec<u8>,
    },
    Dropped {
        instance: u64,
    },
    Ping {
        n: u64,
    },
    Pong {
        n: u64,
    },
    Unread {
        transfer: u64,
        reason: String,
    },
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of docs/wire.md")]
pub enum Failure {
    UnknownFunction,
    BadArgument {
        argument: String,
        reason: String,
    },
    SegmentRefused {
        reason: String,
    },
    ShuttingDown,
    Panicked {
        message: String,
        location: Option<String>,
    },
    NotReturned {
        reason: String,
    },
    UnknownInstance {
        instance: u64,
    },
    Busy {
        n_functions: u64,
    },
}

/// What a module consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of docs/wire.md")]
pub struct Module {
    pub name: String,
    pub docs: String,
    pub functions: Vec<Function>,
}

/// What a function takes and returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of docs/wire.md")]
pub struct Function {
    pub name: String,
    pub docs: String,
    pub arguments: Vec<(String, String)>,
    pub returns: String,
}

impl Function {
    /// The signature, as it is hashed.
    #[must_use]
    pub fn signature(&self) -> String {
        let arguments: Vec<_> = self
            .arguments
            .iter()
            .map(|(name, ty)| format!("{name}: {ty}"))
            .collect();
        format!(
            "{}({}) -> {}",
            self.name,
            arguments.join(", "),
            self.returns
        )
    }
}

impl Frame {
    /// Reads a frame that is all of `message`.
    ///
    /// # Panics
    /// If it isn't.
    #[must_use]
    pub fn read(message: &[u8]) -> Self {
        let mut reader = Reader::new(message);
        let number = reader.u32();
        let frame = Self::fields(number, &mut reader);
        reader.end();
        frame
    }

    fn fields(number: u32, reader: &mut Reader<'_>) -> Self {
        match number {
            0 => Self::Segment {
                segment: reader.u64(),
                len_bytes: reader.u64(),
                is_writable: reader.bool(),
            },
            1 => Self::Forget {
                segment: reader.u64(),
            },
            2 => Self::Refused {
                segment: reader.u64(),
                reason: reader.string(),
            },
            3 => Self::Ended {
                transfer: reader.u64(),
            },
            4 => {
                let (call, function) = (reader.u64(), reader.u64());
                let _time_left = reader.option(Reader::u64);
                let _trace = reader.option(Reader::raw::<25>);
                let handles = reader.list(Handle::read);
                Self::Call {
                    call,
                    function,
                    handles,
                    inline: reader.run(),
                    body: reader.run(),
                }
            }
            5 => Self::reply(reader),
            6 => Self::Cancel { call: reader.u64() },
            7 => Self::Released {
                call: reader.u64(),
                has_begun: reader.bool(),
            },
            8 => Self::Describe {
                call: reader.u64(),
                module: reader.string(),
            },
            9 => Self::Description {
                call: reader.u64(),
                module: reader.option(Module::read),
            },
            10 => Self::Oversize {
                frame: Handle::read(reader),
            },
            11 => Self::Shutdown,
            12 => Self::Tarpc {
                message: reader.run(),
            },
            13 => Self::Dropped {
                instance: reader.u64(),
            },
            14 => Self::NamedSegment {
                segment: reader.u64(),
                len_bytes: reader.u64(),
                is_writable: reader.bool(),
                name: reader.string(),
            },
            16 => Self::Ping { n: reader.u64() },
            17 => Self::Pong { n: reader.u64() },
            18 => Self::Unread {
                transfer: reader.u64(),
                reason: reader.string(),
            },
            other => panic!("there is no frame {other}"),
        }
    }

    fn reply(reader: &mut Reader<'_>) -> Self {
        let call = reader.u64();
        match reader.u32() {
            0 => {
                let (handles, inline) = (reader.list(Handle::read), reader.run());
                let body = reader.run();
                let _copied_bytes = reader.u64();
                Self::Returned {
                    call,
                    handles,
                    inline,
                    body,
                }
            }
            1 => Self::Failed {
                call,
                failure: Failure::read(reader),
            },
            other => panic!("there is no outcome {other}"),
        }
    }
}

impl Failure {
    fn read(reader: &mut Reader<'_>) -> Self {
        match reader.u32() {
            0 => Self::UnknownFunction,
            1 => Self::BadArgument {
                argument: reader.string(),
                reason: reader.string(),
            },
            2 => Self::SegmentRefused {
                reason: reader.string(),
            },
            3 => Self::ShuttingDown,
            4 => Self::Panicked {
                message: reader.string(),
                location: reader.option(Reader::string),
            },
            5 => Self::NotReturned {
                reason: reader.string(),
            },
            6 => Self::UnknownInstance {
                instance: reader.u64(),
            },
            7 => Self::Busy {
                n_functions: reader.u64(),
            },
            other => panic!("there is no failure {other}"),
        }
    }
}

impl Module {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            name: reader.string(),
            docs: reader.string(),
            functions: reader.list(|reader| Function {
                name: reader.string(),
                docs: reader.string(),
                arguments: reader.list(|reader| (reader.string(), reader.string())),
                returns: reader.string(),
            }),
        }
    }
}
