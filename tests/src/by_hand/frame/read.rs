//! Frames that were read.

use super::Module;
use crate::by_hand::bytes::Reader;
use crate::by_hand::handle::Handle;

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
