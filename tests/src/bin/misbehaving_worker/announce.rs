//! Announces as a segment what is none.

use std::os::fd::{AsFd, OwnedFd};

use reedbed_tests::by_hand::frame;
use reedbed_tests::by_hand::memory::{Memory, SEALS};
use reedbed_tests::by_hand::worker::Worker;
use rustix::fs::{MemfdFlags, SealFlags};

/// The length that is announced.
const LEN: u64 = 2 << 20;

/// Announces segment 1, `what` that is.
pub(crate) fn announce(what: &str, worker: &Worker) {
    let frame = frame::segment(1, LEN, true);
    let descriptor: OwnedFd = match what {
        "nothing" => return worker.send(&frame),
        "two-descriptors" => {
            let memory = Memory::new(LEN);
            let both = [memory.as_fd(), memory.as_fd()];
            worker.end().try_send(&frame, &both);
            return;
        }
        "a-pipe" => std::io::pipe().expect("a pipe").0.into(),
        "a-device" => std::fs::File::open("/dev/zero").expect("a device").into(),
        "a-file" => file(tempfile::tempfile().expect("a file")),
        "a-file-of-dev-shm" => file(tempfile::tempfile_in("/dev/shm").expect("a file")),
        "an-unsealed-memfd" => clone(&Memory::sealed(LEN, SealFlags::empty())),
        "a-memfd-that-grows" => clone(&Memory::sealed(LEN, SealFlags::SHRINK)),
        "a-memfd-that-shrinks" => clone(&Memory::sealed(LEN, SealFlags::GROW)),
        "too-little" => clone(&Memory::new(LEN / 2)),
        "too-much" => clone(&Memory::new(2 * LEN)),
        "no-pages" => memfd(MemfdFlags::empty()),
        "huge-pages" => memfd(MemfdFlags::HUGETLB),
        "the-channel" => worker.end().as_fd().try_clone_to_owned().expect("room"),
        other => panic!("{other} is nothing to announce"),
    };
    worker.end().send_with(&frame, &descriptor);
}

fn file(file: std::fs::File) -> OwnedFd {
    file.set_len(LEN).expect("room");
    file.into()
}

fn clone(memory: &Memory) -> OwnedFd {
    memory.as_fd().try_clone_to_owned().expect("room")
}

/// A sealed memfd without pages.
fn memfd(flags: MemfdFlags) -> OwnedFd {
    let flags = flags | MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memfd = rustix::fs::memfd_create("none", flags).expect("a memfd");
    rustix::fs::ftruncate(&memfd, LEN).expect("a length");
    rustix::fs::fcntl_add_seals(&memfd, SEALS).expect("seals");
    memfd
}
