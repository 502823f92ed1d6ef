//! A worker that does what its first argument says, against the protocol: over the socket, or, if its
//! second one says so, through rings.

mod announce;
mod describe;
mod flood;
mod long_frames;
mod over_tarpc;
mod ring;
mod unsent;
mod untrusted;

use std::process::ExitCode;

use reedbed::Stub;
use reedbed_tests::by_hand::bytes::{Bytes, Reader};
use reedbed_tests::by_hand::end::Received;
use reedbed_tests::by_hand::frame::{self, Frame};
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::memory::Memory;
use reedbed_tests::by_hand::worker::{Welcome, Worker};
use reedbed_tests::modules::{arrays, edges, of_bool};

fn main() -> ExitCode {
    let how = std::env::args().nth(1).unwrap_or_default();
    let mut worker = Worker::start();
    if let Some(how) = how.strip_prefix("ring-") {
        ring::misbehave(how, worker);
        return ExitCode::SUCCESS;
    }
    if let Some(code) = before_the_handshake(&how, &mut worker) {
        return ExitCode::from(code);
    }
    if std::env::args()
        .nth(2)
        .is_some_and(|over| over == "over-rings")
    {
        worker.welcome_over_rings(welcome(&how));
    } else {
        worker.send(&welcome(&how).write());
    }
    after_the_handshake(&how, &mut worker);
    worker.wait_for_the_end();
    ExitCode::SUCCESS
}

/// Says nothing, or something else than a welcome; returns the status to exit with.
fn before_the_handshake(how: &str, worker: &mut Worker) -> Option<u8> {
    let welcome = Welcome::default();
    let first = match how {
        "says-nothing" => return worker.receive().map_or(Some(0), |_| Some(1)),
        "exits-at-once" => {
            eprintln!("there is no licence for this worker");
            return Some(3);
        }
        "speaks-version-2" => Welcome {
            version: 2,
            ..welcome
        }
        .write(),
        "has-another-magic" => Welcome {
            magic: *b"ANOTHER\0",
            ..welcome
        }
        .write(),
        "says-too-little" => welcome.write()[..20].to_vec(),
        "says-too-much" => Bytes::new().raw(&welcome.write()).u8(0).done(),
        "says-far-too-much" => Bytes::new().raw(&welcome.write()).raw(&[0; 70_000]).done(),
        "claims-many-modules" => Bytes::new().raw(&welcome.write()[..36]).u64(1 << 60).done(),
        "chooses-another-channel" => Welcome {
            channel: 7,
            ..welcome
        }
        .write(),
        _ => return None,
    };
    worker.send(&first);
    worker.wait_for_the_end();
    Some(0)
}

/// What is told by a worker whose stubs ask nothing.
const DESCRIBES_LITTLE: [&str; 2] = ["never-describes", "late-to-describe"];

/// What is said by a worker that misbehaves later.
fn welcome(how: &str) -> Welcome {
    let hash = match how {
        how if how.starts_with("describes") || how.starts_with("long-description") => 0,
        _ => arrays::Client::schema().hash(),
    };
    let bools = of_bool::Client::schema().hash();
    let edges = edges::Client::schema().hash();
    let modules = [("arrays", hash), ("of_bool", bools), ("edges", edges)];
    let modules = modules.map(|(name, hash)| (name.to_owned(), hash)).into();
    let welcome = Welcome {
        modules,
        ..Welcome::default()
    };
    match how {
        "untrusted-takes-every-descriptor" | "untrusted-takes-every-descriptor-twice" => Welcome {
            n_segments: 1 << 14,
            ..welcome
        },
        "counts-calls" | "counts-requests" | "never-describes" | "tarpc-releases-all" => Welcome {
            n_calls: 1,
            ..welcome
        },
        "answers-nothing" => Welcome {
            n_calls: 4,
            ..welcome
        },
        // So a long frame finds no room beside an array of the host's.
        how if how.starts_with("unsent-") => Welcome {
            n_segments: 1,
            ..welcome
        },
        "takes-next-to-nothing" => Welcome {
            frame_bytes: 0,
            n_calls: 0,
            n_handles: 0,
            n_segments: 0,
            ..welcome
        },
        _ => welcome,
    }
}

/// The result of `arrays::range`: one array.
fn one_array(call: u64, array: Handle) -> Vec<u8> {
    frame::returned(call, &[array], &0u32.to_le_bytes())
}

/// Announces a segment of 24 bytes for writing.
fn announce(worker: &Worker, segment: u64) -> Memory {
    let memory = Memory::of_f64(&[1.0, 2.0, 3.0]);
    worker
        .end()
        .send_with(&frame::segment(segment, 24, true), &memory);
    memory
}

fn three() -> Handle {
    Handle::row(1, dtype::F64, 3).on(Terms::Moved(1))
}

/// Takes the first call or question, and does as it was told.
fn after_the_handshake(how: &str, worker: &mut Worker) {
    if let Some(how) = how.strip_prefix("untrusted-") {
        return untrusted::misbehave(how, worker);
    }
    if let Some(how) = how.strip_prefix("unsent-") {
        return unsent::misbehave(how, worker);
    }
    if let Some(how) = how.strip_prefix("long-") {
        return long_frames::misbehave(how, worker);
    }
    if let Some(how) = how.strip_prefix("tarpc-") {
        return over_tarpc::misbehave(how, worker);
    }
    if how.starts_with("describes") || DESCRIBES_LITTLE.contains(&how) {
        return describe::describe(how, worker);
    }
    match how {
        "floods-its-output" => return flood(worker),
        "counts-calls" => return count_calls(worker),
        "counts-requests" => return count_requests(worker),
        "answers-nothing" => return while worker.receive().is_some() {},
        "ignores-pings" | "answers-no-ping" | "answers-twice" => return answer_pings(how, worker),
        _ => {}
    }
    let (call, handles) = match worker.receive() {
        Some(Frame::Call { call, handles, .. }) => (call, handles),
        other => panic!("a call is expected, not {other:?}"),
    };
    if let Some(what) = how.strip_prefix("floods-with-") {
        return flood::flood(what, worker);
    }
    if let Some(what) = how.strip_prefix("offers-") {
        return announce::announce(what, worker);
    }
    if let Some(frames) = frames(how, call) {
        let _memory = announce(worker, 1);
        for frame in frames {
            worker.send(&frame);
        }
        return;
    }
    match how {
        "sends-half-a-frame-and-exits" => {
            let reply = frame::returned(call, &[], &[]);
            worker.send(&reply[..reply.len() / 2]);
            std::process::exit(4);
        }
        "closes-and-goes-on" => {
            worker.end().shut_down();
            loop {
                std::thread::park();
            }
        }
        "brings-an-unwanted-descriptor" => {
            let reply = frame::returned(call, &[], &[]);
            worker.end().send_with(&reply, Memory::new(64));
        }
        "announces-a-pipe" => {
            let (pipe, _writer) = rustix::pipe::pipe().expect("a pipe");
            worker.end().send_with(&frame::segment(1, 64, true), pipe);
        }
        "writes-a-bad-bool" => {
            worker
                .segment(handles[0].segment)
                .write(handles[0].offset_bytes, &[7]);
            worker.send(&frame::returned(call, &[], &[]));
        }
        "resizes-what-it-may-write" => {
            let memory = worker.segment(handles[0].segment);
            let lens = [0, memory.len_bytes() - 1, memory.len_bytes() + 1, 1 << 30];
            let refused = lens.map(|len| rustix::fs::ftruncate(memory, len));
            let denied = Err(rustix::io::Errno::PERM);
            let n = refused.iter().filter(|refused| **refused == denied).count();
            worker.send(&frame::returned(call, &[], &(n as u64).to_le_bytes()));
        }
        "gives-one-memory-under-two-numbers" => {
            let memory = announce(worker, 1);
            let again = frame::segment(2, 24, true);
            worker.end().send_with(&again, &memory);
            let second = Handle {
                segment: 2,
                ..three().on(Terms::Moved(2))
            };
            let body = Bytes::new().u32(0).u8(1).u32(1).u64(3).done();
            worker.send(&frame::returned(call, &[three(), second], &body));
        }
        "refuses-its-arguments" => {
            worker.send(&frame::refused(handles[0].segment, "full"));
            worker.send(&frame::segment_refused(call, "the table is full"));
            // Asked again, it can.
            let call = worker.receive_call();
            worker.send(&frame::returned(call, &[], &6i64.to_le_bytes()));
        }
        "ends-a-transfer-twice" => {
            let Terms::Moved(transfer) = handles[0].terms else {
                panic!("a moved array")
            };
            worker.send(&frame::ended(transfer));
            worker.send(&frame::ended(transfer));
        }
        "announces-what-can-not-be-mapped" => {
            let memory = Memory::new(64);
            worker
                .end()
                .send_with(&frame::segment(1, 64, true), memory.read_only());
            let _second = announce(worker, 2);
            let (refused, second) = (
                three(),
                Handle {
                    segment: 2,
                    ..three()
                },
            );
            let arrays = [refused, second.on(Terms::Moved(2))];
            let body = Bytes::new().u32(0).u8(1).u32(1).u64(3).done();
            worker.send(&frame::returned(call, &arrays, &body));
            let mut ended: Vec<u64> = Vec::new();
            while ended != [1, 2] {
                match worker.receive() {
                    Some(Frame::Ended { transfer }) => ended.push(transfer),
                    Some(Frame::Refused { segment: 1, .. }) => {}
                    other => panic!("an end of a transfer is expected, not {other:?}"),
                }
            }
            println!("both transfers are over");
        }
        other => panic!("{other} is no way to misbehave"),
    }
}

/// Frames that follow a call, after segment 1 was announced.
fn frames(how: &str, call: u64) -> Option<Vec<Vec<u8>>> {
    let result = |array| vec![one_array(call, array)];
    Some(match how {
        "sends-garbage" => vec![vec![0xff; 12]],
        "sends-a-hosts-frame" => vec![frame::cancel(call)],
        "replies-to-an-unknown-call" => vec![frame::returned(999, &[], &[])],
        "replies-twice" => [result(three()), vec![frame::returned(call, &[], &[])]].concat(),
        "releases-twice" => vec![frame::released(call, true), frame::released(call, true)],
        "names-a-place-out-of-bounds" => result(Handle {
            shape: vec![4],
            ..three()
        }),
        "claims-2^60-elements" => result(Handle {
            shape: vec![1 << 60],
            ..three()
        }),
        "claims-a-shape-that-overflows" => result(Handle {
            shape: vec![u64::MAX],
            ..three()
        }),
        "begins-before-the-segment" => result(Handle {
            strides: vec![-1],
            ..three()
        }),
        "is-an-element-everywhere" => result(Handle {
            shape: vec![1 << 40],
            strides: vec![0],
            ..three()
        }),
        "has-a-thousand-dimensions" => result(Handle {
            shape: vec![1; 1000],
            strides: vec![1; 1000],
            ..three()
        }),
        "sends-more-arrays-than-agreed" => {
            let arrays = vec![three(); 20];
            vec![frame::returned(call, &arrays, &0u32.to_le_bytes())]
        }
        "replays-an-answer" => {
            let answer = one_array(call, three());
            vec![answer.clone(), answer]
        }
        "gives-under-a-number-twice" => {
            let body = Bytes::new().u32(0).u8(1).u32(1).u64(3).done();
            let second = Handle {
                shape: vec![1],
                offset_bytes: 16,
                ..three()
            };
            let first = Handle {
                shape: vec![1],
                ..three()
            };
            vec![frame::returned(call, &[first, second], &body)]
        }
        "answers-before-it-is-asked" => vec![frame::returned(call + 1, &[], &[])],
        "releases-what-was-never-called" => vec![frame::released(call + 7, false)],
        "takes-back-what-it-gave" => vec![frame::forget(1), one_array(call, three())],
        "forgets-what-it-never-had" => vec![frame::forget(77)],
        "ends-what-never-began" => vec![frame::ended(1 << 60)],
        "refuses-what-it-never-got" => vec![frame::refused(5, "no")],
        "names-a-place-outside-the-frame" => {
            let four = Handle::row_inline(dtype::F64, 4).on(Terms::Moved(0));
            vec![frame::returned_inline(
                call,
                &[four],
                &[0; 24],
                &0u32.to_le_bytes(),
            )]
        }
        "gives-one-place-twice" => {
            let three = Handle::row_inline(dtype::F64, 3).on(Terms::Moved(0));
            let body = Bytes::new().u32(0).u8(1).u32(1).u64(3).done();
            let handles = [three.clone(), three];
            vec![frame::returned_inline(call, &handles, &[0; 24], &body)]
        }
        "numbers-a-copy" => {
            let three = Handle::row_inline(dtype::F64, 3).on(Terms::Moved(1));
            vec![frame::returned_inline(
                call,
                &[three],
                &[0; 24],
                &0u32.to_le_bytes(),
            )]
        }
        "returns-a-copy" => {
            let three = Handle::row_inline(dtype::F64, 3).on(Terms::Moved(0));
            let elements = Bytes::new().f64(1.0).f64(2.0).f64(3.0).done();
            vec![frame::returned_inline(
                call,
                &[three],
                &elements,
                &0u32.to_le_bytes(),
            )]
        }
        "names-an-unknown-segment" => result(Handle {
            segment: 2,
            ..three()
        }),
        "gives-an-array-twice" => {
            let again = three().on(Terms::Moved(2));
            let body = Bytes::new().u32(0).u8(1).u32(1).u64(3).done();
            vec![frame::returned(call, &[three(), again], &body)]
        }
        "returns-what-it-never-got" => result(Handle {
            origin: 1,
            ..three().on(Terms::Returned(1))
        }),
        "lends-its-result" => result(three().on(Terms::Read)),
        "returns-another-type" => result(Handle {
            dtype: dtype::I64,
            ..three()
        }),
        "returns-too-much" => vec![frame::returned(call, &[three()], &[0; 12])],
        "claims-a-long-result" => {
            vec![frame::returned(call, &[], &(1u64 << 40).to_le_bytes())]
        }
        "takes-next-to-nothing" => vec![frame::returned(call, &[], &6i64.to_le_bytes())],
        _ => return None,
    })
}

/// Takes a call, and then answers pings, or not, in its own way.
fn answer_pings(how: &str, worker: &mut Worker) {
    let call = worker.receive_call();
    if how == "answers-no-ping" {
        worker.send(&frame::pong(1));
    }
    while let Received::Message(message, _) = worker.end().receive() {
        match Frame::read(&message) {
            Frame::Ping { n } if how == "answers-twice" => {
                worker.send(&frame::pong(n));
                let _ = worker.end().try_send(&frame::pong(n), &[]);
            }
            Frame::Ping { .. } => {}
            Frame::Cancel { call: cancelled } => assert_eq!(call, cancelled),
            other => panic!("{other:?} came instead of a ping"),
        }
    }
}

/// Prints without end, and answers all the same.
fn flood(worker: &mut Worker) {
    std::thread::spawn(|| {
        loop {
            println!("{}", "la".repeat(2000));
        }
    });
    while let Some(frame) = worker.receive() {
        match frame {
            Frame::Call { call, .. } => {
                worker.send(&frame::returned(call, &[], &6i64.to_le_bytes()))
            }
            Frame::Shutdown => std::process::exit(0),
            _ => {}
        }
    }
}

/// Answers calls one by one; ends if there are ever two at once.
fn count_calls(worker: &mut Worker) {
    loop {
        let call = match worker.receive() {
            Some(Frame::Call { call, .. }) => call,
            Some(Frame::Shutdown) | None => std::process::exit(0),
            Some(other) => panic!("{other:?} came instead of a call"),
        };
        assert!(
            !worker.end().has_more(),
            "a second call came before the first was answered"
        );
        worker.send(&frame::returned(call, &[], &6i64.to_le_bytes()));
    }
}

/// Answers the requests of `arrays.sum` that come by tarpc's dispatcher, and lets go of others once they
/// are cancelled; ends if there are ever two at once.
fn count_requests(worker: &mut Worker) {
    let mut open = None;
    loop {
        let message = match worker.receive() {
            Some(Frame::Tarpc { message }) => message,
            Some(Frame::Shutdown) | None => std::process::exit(0),
            Some(other) => panic!("{other:?} came instead of a request"),
        };
        let mut reader = Reader::new(&message);
        if reader.u32() == 1 {
            let _trace: [u8; 28] = reader.raw();
            let (id, call) = open.take().expect("it is open");
            assert_eq!(reader.u64(), id, "it is open");
            worker.send(&frame::released(call, false));
            continue;
        }
        let (_deadline, _trace) = (reader.raw::<12>(), reader.raw::<28>());
        let [id, call, function] = [reader.u64(), reader.u64(), reader.u64()];
        assert_eq!(open, None, "another one is open");
        if function == reedbed_tests::by_hand::function("arrays", "sum") {
            let returned = Bytes::new().u64(id).u32(0).u64(call).u32(0);
            let six = returned.u64(0).u64(0).run(6i64.to_le_bytes()).u64(0);
            worker.send(&frame::tarpc(&six.done()));
        } else {
            open = Some((id, call));
        }
    }
}
