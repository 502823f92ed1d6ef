//! What a worker that means harm does to memory: it keeps what it was given, writes what it must
//! not, and hands over what is none.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use reedbed_tests::by_hand::bytes::Bytes;
use reedbed_tests::by_hand::frame::{self, Frame};
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::memory::{Memory, SEALS};
use reedbed_tests::by_hand::worker::Worker;
use reedbed_tests::pages::Pages;
use rustix::fs::{FallocateFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use super::{announce, one_array};

/// A call's number and arrays.
type Call = (u64, Vec<Handle>);

/// Takes the first call, and does as it was told.
pub(crate) fn misbehave(how: &str, worker: &mut Worker) {
    if let Some(kind) = how.strip_prefix("announces-") {
        let (call, _) = next_call(worker);
        let segment = frame::segment(1, 4096, true);
        worker.end().send_with(&segment, no_segment(kind));
        worker.send(&one_array(call, three(1)));
        return;
    }
    match how {
        "writes-after-its-reply" => write_after_the_reply(worker),
        "writes-what-it-reads" => write_what_is_read(worker),
        "keeps-what-it-wrote" => keep_what_it_wrote(worker),
        "writes-bad-bools" => write_bad_bools(worker),
        "returns-bad-bools" => return_bad_bools(worker),
        "returns-its-argument" => return_its_argument(worker),
        "never-stops-writing" => never_stop_writing(worker),
        "punches-holes" => punch_holes(worker),
        "says-it-copied-everything" => {
            let (call, _) = next_call(worker);
            let _memory = announce(worker, 1);
            let mut reply = one_array(call, three(1));
            let n = reply.len() - 8;
            reply[n..].fill(0xff);
            worker.send(&reply);
        }
        "spans-it-all" => span_it_all(worker),
        "takes-every-descriptor" | "takes-every-descriptor-twice" => {
            let (call, _) = next_call(worker);
            for segment in 1..=900 {
                let (end, memory) = (worker.end(), Memory::new(4096));
                if how == "takes-every-descriptor-twice" {
                    end.send_with(&frame::segment(segment, 4096, false), &memory);
                }
                end.send_with(&frame::segment(segment, 4096, true), memory);
            }
            let last = Handle {
                segment: 900,
                ..three(1)
            };
            worker.send(&one_array(call, last));
        }
        other => panic!("{other} is no way to misbehave"),
    }
}

/// Three elements of segment 1, given away under this number.
fn three(transfer: u64) -> Handle {
    Handle::row(1, dtype::F64, 3).on(Terms::Moved(transfer))
}

fn next_call(worker: &mut Worker) -> Call {
    loop {
        match worker.receive() {
            Some(Frame::Call { call, handles, .. }) => return (call, handles),
            Some(Frame::Shutdown) | None => std::process::exit(0),
            Some(Frame::Ended { .. } | Frame::Refused { .. }) => {}
            other => panic!("a call is expected, not {other:?}"),
        }
    }
}

/// Something that is no segment.
fn no_segment(kind: &str) -> OwnedFd {
    let open = |path| OwnedFd::from(File::open(path).expect("it is on every system"));
    let sealed = |seals| {
        let memory = Memory::sealed(4096, seals);
        memory.as_fd().try_clone_to_owned().expect("a descriptor")
    };
    match kind {
        "a-pipe" => rustix::pipe::pipe().expect("a pipe").0,
        "a-device" => open("/dev/zero"),
        "a-directory" => open("/tmp"),
        "a-file" => OwnedFd::from(tempfile::tempfile().expect("a file")),
        "a-shared-file" => {
            let file = tempfile::tempfile_in("/dev/shm").expect("a file");
            file.set_len(4096).expect("it is our own");
            file.into()
        }
        "an-unsealed-memfd" => sealed(SealFlags::empty()),
        "a-memfd-that-shrinks" => sealed(SealFlags::GROW),
        "a-memfd-that-grows" => sealed(SealFlags::SHRINK),
        "an-empty-memfd" => {
            let memory = Memory::sealed(0, SEALS);
            memory.as_fd().try_clone_to_owned().expect("a descriptor")
        }
        other => panic!("there is no {other}"),
    }
}

/// Returns an array, waits until the host has let go of it, and writes it.
fn write_after_the_reply(worker: &mut Worker) {
    let (call, _) = next_call(worker);
    let memory = announce(worker, 1);
    worker.send(&one_array(call, three(1)));
    match worker.receive() {
        Some(Frame::Ended { transfer: 1 }) => {}
        other => panic!("the end of the transfer is expected, not {other:?}"),
    }
    memory.write(0, &[0xff; 24]);
    let (call, _) = next_call(worker);
    worker.send(&one_array(call, three(2)));
}

/// Tries to write an array that it was lent for reading in every way; returns how often it could.
fn write_what_is_read(worker: &mut Worker) {
    let (call, handles) = next_call(worker);
    let memory = worker.segment(handles[0].segment);
    // The descriptor is for reading, but who runs as the same user opens it again.
    let path = format!("/proc/self/fd/{}", memory.as_fd().as_raw_fd());
    let again = rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let again = again.expect("it may be opened for writing");
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let (len, offset) = (memory.len_bytes(), handles[0].offset_bytes);
    let pages = |file: BorrowedFd<'_>| {
        Pages::for_reading(&file, len).expect("it may be mapped for reading")
    };
    let (lent, reopened) = (pages(memory.as_fd()), pages(again.as_fd()));
    let tried = [
        rustix::io::pwrite(&again, &[0xff; 8], offset).map(drop),
        Pages::for_writing(&again, len).map(drop).map_err(errno),
        lent.open_up().map_err(errno),
        reopened.open_up().map_err(errno),
        reopened.write(offset, &[0xff; 8]).map_err(errno),
        rustix::fs::fallocate(&again, hole, 0, 4096),
        rustix::fs::ftruncate(&again, 0),
        rustix::fs::ftruncate(&again, 1 << 20),
        rustix::fs::fcntl_add_seals(&again, SealFlags::WRITE),
    ];
    // By a seal; by what the seal makes of a mapping; in a debugger's way.
    let denied = [Errno::PERM, Errno::ACCESS, Errno::IO].map(Err);
    let n_written = tried.iter().filter(|tried| !denied.contains(tried)).count();
    worker.send(&frame::returned(
        call,
        &[],
        &(n_written as i64).to_le_bytes(),
    ));
}

fn errno(number: i32) -> Errno {
    Errno::from_raw_os_error(number)
}

/// Fills arrays that it was lent for writing, and writes the last one again when it is asked for the
/// next.
fn keep_what_it_wrote(worker: &mut Worker) {
    let mut kept: Vec<(Memory, u64)> = Vec::new();
    for value in 1u8..=3 {
        let (call, handles) = next_call(worker);
        for (memory, n_bytes) in &kept {
            memory.write(0, &vec![0xee; usize::try_from(*n_bytes).expect("a few")]);
        }
        let handle = &handles[0];
        let n_bytes: u64 = 4 * handle.shape.iter().product::<u64>();
        let memory = worker.segment(handle.segment).try_clone();
        let bytes = vec![value; usize::try_from(n_bytes).expect("a few")];
        memory.write(handle.offset_bytes, &bytes);
        kept.push((memory, n_bytes));
        worker.send(&frame::returned(call, &[], &(n_bytes / 4).to_le_bytes()));
    }
}

/// Fills an array of bools with what is none, at its end.
fn write_bad_bools(worker: &mut Worker) {
    let (call, handles) = next_call(worker);
    let last = handles[0].offset_bytes + handles[0].shape[0] - 1;
    worker.segment(handles[0].segment).write(last, &[2]);
    worker.send(&frame::returned(call, &[], &[]));
}

/// Returns bools; then, of the same memory, what is none.
fn return_bad_bools(worker: &mut Worker) {
    let memory = Memory::of(&[1, 0, 1]);
    for (number, bad) in [(1, 1), (2, 2)] {
        let (call, _) = next_call(worker);
        if number == 1 {
            let segment = frame::segment(1, 3, true);
            worker.end().send_with(&segment, &memory);
        }
        memory.write(1, &[bad]);
        let handle = Handle::row(1, dtype::BOOL, 3).on(Terms::Moved(number));
        worker.send(&one_array(call, handle));
    }
}

/// Returns bools of one memory over and over, while another thread writes it all the time.
fn never_stop_writing(worker: &mut Worker) {
    const N: u64 = 1 << 16;
    let memory = Memory::new(N);
    let written = memory.try_clone();
    std::thread::spawn(move || {
        let wrong = [
            vec![0; 4096],
            vec![1; 4096],
            vec![1; 4096],
            vec![0xff; 4096],
        ];
        loop {
            for (offset, bytes) in (0..N)
                .step_by(4096)
                .flat_map(|at| wrong.iter().map(move |b| (at, b)))
            {
                written.write(offset, bytes);
                written.write(offset, &[1; 4096]);
            }
        }
    });
    for number in 1.. {
        let (call, _) = next_call(worker);
        if number == 1 {
            let segment = frame::segment(1, N, true);
            worker.end().send_with(&segment, &memory);
        }
        let handle = Handle::row(1, dtype::BOOL, N).on(Terms::Moved(number));
        worker.send(&one_array(call, handle));
    }
}

/// Announces the segment of its argument as one of its own, and returns an array in it.
fn return_its_argument(worker: &mut Worker) {
    let (call, handles) = next_call(worker);
    let theirs = worker.segment(handles[0].segment);
    let announced = frame::segment(1, theirs.len_bytes(), true);
    worker.end().send_with(&announced, theirs);
    let handle = Handle {
        offset_bytes: handles[0].offset_bytes,
        shape: handles[0].shape.clone(),
        ..three(1)
    };
    worker.send(&one_array(call, handle));
}

/// Returns an array, and another one whose pages it has taken away.
fn punch_holes(worker: &mut Worker) {
    let memory = Memory::of_f64(&[1.0; 1024]);
    let (call, _) = next_call(worker);
    let segment = frame::segment(1, memory.len_bytes(), true);
    worker.end().send_with(&segment, &memory);
    let all = |transfer| Handle {
        shape: vec![1024],
        ..three(transfer)
    };
    worker.send(&one_array(call, all(1)));
    // By the next call, the host has checked the segment.
    let (call, _) = next_call(worker);
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&memory, hole, 0, 8192).expect("it is its own");
    worker.send(&one_array(call, all(2)));
}

/// Returns two elements, a long way from each other.
fn span_it_all(worker: &mut Worker) {
    let memory = Memory::new(1 << 26);
    memory.write(0, &1f64.to_le_bytes());
    memory.write((1 << 26) - 8, &2f64.to_le_bytes());
    let (call, _) = next_call(worker);
    let segment = frame::segment(1, memory.len_bytes(), true);
    worker.end().send_with(&segment, &memory);
    let two = Handle {
        shape: vec![2],
        strides: vec![(1 << 23) - 1],
        ..three(1)
    };
    let body = Bytes::new().u32(0).done();
    worker.send(&frame::returned(call, &[two], &body));
}
