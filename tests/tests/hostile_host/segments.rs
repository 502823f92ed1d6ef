//! Violations: segments and transfers.

use super::*;

#[test]
fn what_is_not_sealed_shared_memory_is_a_violation() {
    let file = OwnedFd::from(tempfile::tempfile().unwrap());
    rustix::fs::ftruncate(&file, 4096).unwrap();
    let of_tmpfs = tempfile::tempfile_in("/dev/shm").unwrap();
    of_tmpfs.set_len(4096).unwrap();
    let (pipe, _writer) = rustix::pipe::pipe().unwrap();
    let unsealed = Memory::sealed(4096, SealFlags::empty());
    let growing = Memory::sealed(4096, SealFlags::SHRINK | SealFlags::SEAL);
    let what = "announced a segment, but it isn't a memfd sealed against shrinking and growing";
    for fd in [
        file.as_fd(),
        of_tmpfs.as_fd(),
        pipe.as_fd(),
        unsealed.as_fd(),
        growing.as_fd(),
    ] {
        let host = greeted();
        host.end().send_with(&frame::segment(1, 4096, true), fd);
        host.assert_violation(what);
    }
}

#[test]
fn another_length_than_announced_is_a_violation() {
    let memory = Memory::new(4096);
    for announced in [8192, 4095, 0, 1 << 62, u64::MAX] {
        let host = greeted();
        host.end()
            .send_with(&frame::segment(1, announced, true), &memory);
        host.assert_violation(&format!(
            "announced a segment, but it has 4096 bytes where {announced} were announced"
        ));
    }
}

#[test]
fn pages_that_are_not_reserved_are_a_violation() {
    use rustix::fs::MemfdFlags;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let sparse = rustix::fs::memfd_create("sparse", flags).unwrap();
    rustix::fs::ftruncate(&sparse, 1 << 20).unwrap();
    rustix::fs::fcntl_add_seals(&sparse, SEALS).unwrap();
    let host = greeted();
    host.end()
        .send_with(&frame::segment(1, 1 << 20, false), &sparse);
    host.assert_violation("announced a segment, but not all of its pages are reserved");
}

#[test]
fn a_segment_that_is_announced_again_stays_as_it_was() {
    let (host, memory) = lending_three();
    host.announce_writable(1, &memory);
    host.announce(1, &Memory::of_i64(&[4, 5, 6]));
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(1), 6i64.to_le_bytes());
    host.send(&frame::forget(1));
    host.shut_down();
}

#[test]
fn more_segments_than_negotiated_are_a_violation() {
    let hello = Hello {
        n_segments: 2,
        ..hello()
    };
    let (host, memory) = (greeted_with(&hello), Memory::new(64));
    host.announce(1, &memory);
    host.announce(2, &memory);
    host.announce_writable(2, &memory);
    host.send(&frame::forget(1));
    host.announce(3, &memory);
    host.assert_alive();
    // Beyond what a receiver puts up with.
    for segment in 4..400 {
        let frame = frame::segment(segment, memory.len_bytes(), true);
        host.end().try_send(&frame, &[memory.as_fd()]);
    }
    host.assert_violation("announced more than 2 segments");
}

#[test]
fn descriptors_come_with_segments_and_with_nothing_else() {
    let memory = Memory::new(64);
    let host = greeted();
    host.send(&frame::segment(1, 64, false));
    host.assert_violation("announced segment 1 without a descriptor");

    let host = greeted();
    host.end().send_with(&frame::cancel(1), &memory);
    host.assert_violation("sent a descriptor beside a frame that takes none");

    for n in [2, 3, 8] {
        let host = greeted();
        host.end()
            .try_send(&frame::segment(1, 64, true), &vec![memory.as_fd(); n]);
        host.assert_violation(
            "sent what can't be received: a message with more than one descriptor",
        );
    }
}

#[test]
fn ending_forgetting_and_refusing_what_is_unknown_are_violations() {
    let cases = [
        (frame::ended(5), "ended transfer 5, which isn't under way"),
        (
            frame::forget(5),
            "took back segment 5, which it never announced",
        ),
        (
            frame::refused(5, "no"),
            "refused segment 5, which it never got",
        ),
    ];
    for (frame, what) in cases {
        let host = greeted();
        host.send(&frame);
        host.assert_violation(what);
    }
}

#[test]
fn a_transfer_ends_once() {
    let host = greeted();
    host.call(1, "arrays.range", &[], &4u64.to_le_bytes());
    let _segment = host.receive_segment();
    let _range = host.receive();
    host.send(&frame::ended(1));
    host.assert_alive();
    host.send(&frame::ended(1));
    host.assert_violation("ended transfer 1, which isn't under way");
}
