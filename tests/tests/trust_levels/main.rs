//! What is shared, what is copied and what is promised, at each level of trust: the table of
//! [`reedbed::Trust`], cell by cell.
//!
//! What is shared is proven by identity: the inode that the elements are mapped from in the worker,
//! and what `/proc` says that the worker maps at all.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is not as it should be"
)]

mod cells;
mod read;
mod recycled;
mod refused;
mod returned;
mod written;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use reedbed::{CallError, Copy, CopyReason, FailureCause, SegmentIdentity, Stub, Trust, Worker};
use reedbed_tests::system::MappedAt;
use rustix::fs::SealFlags;

const BOTH: [Trust; 2] = [Trust::Trusted, Trust::Untrusted];

/// Starts a worker in a process of its own.
pub(crate) async fn start(trust: Trust) -> Worker {
    let builder = Worker::builder(env!("CARGO_BIN_EXE_test-worker")).trust(trust);
    let worker = builder.log(|_| {}).spawn().await.unwrap();
    assert_eq!(worker.trust(), trust);
    worker
}

/// Starts a worker and imports one of its modules.
pub(crate) async fn import<S: Stub>(trust: Trust) -> (Worker, S) {
    let worker = start(trust).await;
    let client = worker.import().await.unwrap();
    (worker, client)
}

/// A segment that a process maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) inode: u64,
    pub(crate) is_writable: bool,
    pub(crate) len: usize,
}

/// The segments that a worker maps (`man 5 proc_pid_maps`).
pub(crate) fn mapped_by(worker: &Worker) -> Vec<Mapped> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", worker.id().unwrap())).unwrap();
    let segments = maps.lines().filter(|line| line.contains("memfd:reedbed"));
    let mapped = segments.map(|line| {
        let mut fields = line.split_whitespace();
        let (first, end) = fields.next().unwrap().split_once('-').unwrap();
        let hex = |text| usize::from_str_radix(text, 16).unwrap();
        Mapped {
            len: hex(end) - hex(first),
            is_writable: fields.next().unwrap().contains('w'),
            inode: fields.nth(2).unwrap().parse().unwrap(),
        }
    });
    mapped.collect()
}

/// Tells whether a worker maps a segment, however.
pub(crate) fn maps(worker: &Worker, segment: SegmentIdentity) -> bool {
    let is_it = |mapped: &Mapped| mapped.inode == segment.inode;
    mapped_by(worker).iter().any(is_it)
}

/// Tells whether elements are mapped from a segment, in the worker that said so.
pub(crate) fn is_from(at: Option<&MappedAt>, segment: SegmentIdentity) -> bool {
    let at = at.expect("elements are mapped from somewhere");
    let device = (
        rustix::fs::major(segment.device),
        rustix::fs::minor(segment.device),
    );
    (at.inode, at.device) == (segment.inode, device)
}

/// The segments that this process has open, and where.
pub(crate) fn open_segments() -> Vec<(u64, PathBuf)> {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let segments = open.filter_map(|entry| {
        let to = fs::read_link(entry.path()).ok()?;
        let is_segment = to.to_string_lossy().starts_with("/memfd:reedbed");
        let inode = is_segment.then(|| fs::metadata(entry.path()).ok())??.ino();
        Some((inode, entry.path()))
    });
    segments.collect()
}

/// Opens a segment that this process has open once more, for reading.
pub(crate) fn reopen(segment: SegmentIdentity) -> fs::File {
    let open = open_segments();
    let its = open.iter().find(|(inode, _)| *inode == segment.inode);
    fs::File::open(&its.unwrap().1).unwrap()
}

/// The seals of a segment that this process has open.
pub(crate) fn seals(segment: SegmentIdentity) -> SealFlags {
    rustix::fs::fcntl_get_seals(reopen(segment)).unwrap()
}

/// The copy of an argument.
pub(crate) fn copy(argument: &str, size_bytes: u64, reason: CopyReason) -> Copy {
    Copy {
        argument: Some(argument.to_owned()),
        size_bytes,
        reason,
    }
}

/// The copy of what was returned.
pub(crate) fn copy_of_result(size_bytes: u64, reason: CopyReason) -> Copy {
    Copy {
        argument: None,
        size_bytes,
        reason,
    }
}

/// Why a call was not sent that would have had to copy.
pub(crate) fn forbidden<T: std::fmt::Debug, E: std::fmt::Debug>(
    result: Result<T, CallError<E>>,
) -> CopyReason {
    let error = result.unwrap_err();
    assert!(error.is_retryable(), "nothing was sent");
    match error.failure().map(|failure| failure.cause()) {
        Some(FailureCause::CopyForbidden { reason, .. }) => reason.clone(),
        other => panic!("a copy is forbidden; this came: {other:?}"),
    }
}
