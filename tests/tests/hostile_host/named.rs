//! Segments that are announced by name.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use super::*;

const NAMED: u32 = 1;

fn hello() -> Hello {
    Hello {
        segments: NAMED,
        ..super::hello()
    }
}

/// A file in `/dev/shm`, made and named as the document says; unlinked when it is dropped.
struct NamedMemory {
    name: String,
    file: fs::File,
}

impl NamedMemory {
    /// Makes one of `len` bytes; `mode` and `is_reserved` are 0600 and `true` where all is well.
    fn new(len: u64, mode: u32, is_reserved: bool) -> Self {
        use std::os::unix::fs::MetadataExt;
        static N: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let namespace = fs::metadata("/proc/self/ns/pid")
            .expect("a namespace")
            .ino();
        let stat = fs::read_to_string("/proc/self/stat").expect("a process");
        let started = stat
            .rsplit_once(')')
            .expect("fields")
            .1
            .split_whitespace()
            .nth(19);
        let number = N.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!(
            "reedbed-{namespace}-{}-{}-{number}-{:016x}",
            std::process::id(),
            started.expect("field 22"),
            // Apart from the names that the crate makes up in this process.
            0xb4_4a5d,
        );
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(format!("/dev/shm/{name}"))
            .expect("a file");
        if is_reserved {
            let flags = rustix::fs::FallocateFlags::empty();
            rustix::fs::fallocate(&file, flags, 0, len).expect("pages");
        } else {
            file.set_len(len).expect("a length");
        }
        Self { name, file }
    }
}

impl Drop for NamedMemory {
    fn drop(&mut self) {
        let _ = fs::remove_file(format!("/dev/shm/{}", self.name));
    }
}

#[test]
fn a_session_by_name() {
    let (host, memory) = (greeted_with(&hello()), NamedMemory::new(24, 0o600, true));
    memory
        .file
        .write_all_at(&Memory::of_i64(&[1, 2, 3]).read::<24>(0), 0)
        .unwrap();
    host.send(&frame::named_segment(1, 24, false, &memory.name));
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(1), 6i64.to_le_bytes());

    // The worker names what it makes, too.
    host.call(2, "arrays.range", &[], &4u64.to_le_bytes());
    let Frame::NamedSegment {
        name,
        is_writable,
        len_bytes,
        ..
    } = host.receive()
    else {
        panic!("a named segment is expected");
    };
    assert!(is_writable);
    let path = format!("/dev/shm/{name}");
    assert_eq!(fs::metadata(&path).unwrap().len(), len_bytes);
    let Frame::Returned { handles, .. } = host.receive() else {
        panic!("an array is expected");
    };
    let mut last = [0; 8];
    let range = fs::File::open(&path).unwrap();
    range
        .read_exact_at(&mut last, handles[0].offset_bytes + 24)
        .unwrap();
    assert_eq!(f64::from_le_bytes(last), 3.0);

    host.send(&frame::forget(1));
    host.shut_down();
    // A host may have yet to open it, and unlinks what a worker that has ended has left.
    fs::remove_file(path).unwrap();
    assert!(
        fs::exists(format!("/dev/shm/{}", memory.name)).unwrap(),
        "and nothing else"
    );
}

#[test]
fn a_worker_that_ends_leaves_all_names_to_its_host() {
    let host = greeted_with(&hello());
    let mut names = Vec::new();
    // More small results than one segment has room for.
    for call in 1..=40 {
        host.call(call, "arrays.range", &[], &8000u64.to_le_bytes());
        while let Frame::NamedSegment { name, .. } = host.receive() {
            names.push(name);
        }
    }
    assert!(names.len() > 1, "{names:?}");
    host.shut_down();
    for name in names {
        fs::remove_file(format!("/dev/shm/{name}")).expect("the host may have yet to open it");
    }
}

#[test]
fn what_is_not_a_segment_of_this_user_is_a_violation() {
    let announced = |name: &str, len_bytes, what: &str| {
        let host = greeted_with(&hello());
        host.send(&frame::named_segment(1, len_bytes, true, name));
        host.assert_violation(&format!("announced a segment, but {what}"));
    };
    let form = "its name isn't one that a process of reedbed makes up";
    for name in [
        "",
        "..",
        "../../etc/passwd",
        "psm_01234567",
        "reedbed-1-2-3-4-5",
    ] {
        announced(name, 24, form);
    }
    announced(&"x".repeat(5000), 24, form);
    let memory = NamedMemory::new(4096, 0o600, true);
    for other in [0, 4095, 8192, u64::MAX] {
        let what = format!("it has 4096 bytes where {other} were announced");
        announced(&memory.name, other, &what);
    }
    let open_to_all = NamedMemory::new(4096, 0o644, true);
    announced(&open_to_all.name, 4096, "it isn't a file of user");
    let sparse = NamedMemory::new(1 << 20, 0o600, false);
    announced(&sparse.name, 1 << 20, "not all of its pages are reserved");
}

#[test]
fn a_link_is_not_followed() {
    let (memory, link) = (
        NamedMemory::new(24, 0o600, true),
        NamedMemory::new(24, 0o600, true),
    );
    let place = format!("/dev/shm/{}", link.name);
    fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink(format!("/dev/shm/{}", memory.name), &place).unwrap();
    let host = greeted_with(&hello());
    host.send(&frame::named_segment(1, 24, false, &link.name));
    assert!(matches!(host.receive(), Frame::Refused { segment: 1, .. }));
    host.assert_alive();
}

#[test]
fn a_segment_whose_name_is_gone_fails_its_calls_alone() {
    let host = greeted_with(&hello());
    let memory = NamedMemory::new(24, 0o600, true);
    let name = memory.name.clone();
    drop(memory);
    host.send(&frame::named_segment(1, 24, false, &name));
    assert!(matches!(host.receive(), Frame::Refused { segment: 1, .. }));
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    assert!(matches!(host.failure(1), Failure::SegmentRefused { .. }));
    host.assert_alive();
}

#[test]
fn the_other_kind_of_segment_is_a_violation() {
    let what = "announced a segment of another kind than was agreed on";
    let named = greeted_with(&hello());
    named.announce(1, &Memory::new(24));
    named.assert_violation(what);

    let memory = NamedMemory::new(24, 0o600, true);
    let host = greeted();
    host.send(&frame::named_segment(1, 24, false, &memory.name));
    host.assert_violation(what);
}

#[test]
fn a_kind_of_segment_that_the_worker_can_not_make_is_told() {
    let host = Host::start(WORKER);
    host.send(
        &Hello {
            segments: 7,
            ..hello()
        }
        .write(),
    );
    let ended = host.ended();
    assert_eq!(ended.code, Some(70));
    let said = "it wants segments of kind 7 (0: memfd, 1: named), which this program can't make; \
                build it with the feature `posix-shm` of reedbed";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}
