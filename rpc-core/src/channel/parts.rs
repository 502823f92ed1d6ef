//! A door to parts of a channel for benchmarks and fuzzers, behind the feature `internals`. It is no
//! interface: it changes whenever the parts do.

use std::io;
use std::sync::Arc;

use super::ring::{Consumer, Count, Producer};
use super::rings::Rings;
use crate::wire::codec;
use crate::wire::frame::{CallFrame, Frame};
use crate::wire::handshake::MESSAGE_BYTES;

pub use super::inline::parts::{Found, bind_inline};
pub use super::ring::hostile::{HostileRing, Popped, Pushed};
pub use crate::dynamic::parts::{decode_value, parse_type};
pub use crate::tensor::parts::{Checked, check_layout};
pub use crate::wire::parts::{
    AnyFrame, AnyHandle, FirstMessage, decode_module, decode_part, encode_module, encode_part,
};

/// Encodes a call with a body of so many bytes, and no arrays.
#[must_use]
pub fn encode_call(n_body_bytes: usize) -> Vec<u8> {
    let frame = Frame::Call(CallFrame {
        call: 1,
        function: 2,
        time_left_ns: None,
        trace: None,
        handles: Vec::new(),
        inline: codec::Bytes(Vec::new()),
        body: codec::Bytes(vec![7; n_body_bytes]),
    });
    codec::encode(&frame).unwrap_or_default()
}

/// Tells whether bytes are a frame.
#[must_use]
pub fn is_frame(bytes: &[u8]) -> bool {
    codec::decode::<Frame>(bytes).is_ok()
}

/// Makes a ring, and returns its ends.
///
/// # Errors
/// The kernel's, where there is no memory.
pub fn ring() -> io::Result<(Writing, Reading)> {
    let (worker, segment) = Rings::create()?;
    let host = Rings::open(&segment)?;
    let writing = Writing(Producer::new(worker.outgoing));
    let reading = Reading {
        consumer: Consumer::new(host.incoming),
        buffer: vec![0; MESSAGE_BYTES],
    };
    Ok((writing, reading))
}

/// The end of a ring that frames are put into.
#[derive(Debug)]
pub struct Writing(Producer);

impl Writing {
    /// Puts a frame in; tells whether there was room.
    pub fn push(&mut self, frame: &[u8]) -> bool {
        frame.len() <= MESSAGE_BYTES && self.0.push(frame, Count::default()).is_ok()
    }
}

/// The end of a ring that frames are taken from.
#[derive(Debug)]
pub struct Reading {
    consumer: Consumer,
    buffer: Vec<u8>,
}

impl Reading {
    /// Takes the next frame out, if there is one and it is as it should be.
    pub fn pop(&mut self) -> Option<&[u8]> {
        let head = self.consumer.peek()?;
        let len = self.consumer.pop(head, &mut self.buffer).ok()?;
        self.buffer.get(..len)
    }
}

/// Lends a range for reading and takes it back.
#[must_use]
pub fn lend_once(leases: &Leases) -> bool {
    let holder = crate::segment::lease::Holder::Other("a benchmark");
    let access = crate::segment::mapping::Access::Read;
    match leases.0.begin(&(0..64), access, &holder) {
        Ok(key) => {
            leases.0.end(key);
            true
        }
        Err(_) => false,
    }
}

/// What is lent of an extent.
#[derive(Debug, Default)]
pub struct Leases(Arc<crate::segment::lease::Leases>);
