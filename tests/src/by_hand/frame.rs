//! Frames: functions to write them, and, in `read`, a type for those that are read.

mod module;
mod read;

pub use self::module::{Function, Module};
pub use self::read::{Failure, Frame};
use super::bytes::Bytes;
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
    module.write(Bytes::new().u32(9).u64(call).u8(1)).done()
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
