//! First messages that are none: of programs that aren't workers to a real host, and of programs
//! that aren't hosts to a real worker.

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use reedbed::{ChannelKind, EndReason, SpawnError, Worker, WorkerBuilder};
use reedbed_tests::by_hand::handle::{Handle, dtype};
use reedbed_tests::by_hand::host::{Hello, Host};
use reedbed_tests::by_hand::memory::Memory;
use reedbed_tests::watched::watched;

const MISBEHAVING: &str = env!("CARGO_BIN_EXE_misbehaving-worker");
const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
/// Short, for programs that never say anything.
const SHORT: Duration = Duration::from_millis(100);

/// Starts a worker that doesn't get ready; nothing of it is left.
async fn error_of(builder: WorkerBuilder) -> SpawnError {
    watched(async { builder.log(|_| {}).spawn().await.expect_err("no worker") }).await
}

fn misbehaving(how: &str) -> WorkerBuilder {
    Worker::builder(MISBEHAVING).arg(how)
}

// A real host.

#[tokio::test]
async fn a_worker_that_says_nothing_is_killed_in_time() {
    let error = error_of(misbehaving("says-nothing").startup_timeout(SHORT)).await;
    assert!(
        matches!(error, SpawnError::TimedOut { limit: SHORT, .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("was not ready within 100ms and was killed"),
        "{text}"
    );
    assert!(text.contains("worker_main!"), "{text}");
}

#[tokio::test]
async fn a_worker_that_exits_at_once_tells_its_status_and_its_last_line() {
    let error = error_of(misbehaving("exits-at-once")).await;
    let SpawnError::Ended { end, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(end.reason(), &EndReason::Exited(3));
    assert_eq!(end.last_lines(), ["there is no licence for this worker"]);
    let text = error.to_string();
    assert!(text.contains("`misbehaving-worker`"), "{text}");
    assert!(text.contains("ended before it was ready"), "{text}");
    assert!(text.contains("it exited with status 3"), "{text}");
    assert!(
        text.contains("there is no licence for this worker"),
        "{text}"
    );
}

#[tokio::test]
async fn first_messages_that_are_none_make_a_worker_incompatible() {
    for (how, what) in [
        (
            "speaks-version-2",
            "it speaks version 2 of the wire, this program speaks 1",
        ),
        (
            "has-another-magic",
            "doesn't begin with the magic number of reedbed's wire",
        ),
        (
            "says-too-little",
            "its first message is malformed: UnexpectedEnd",
        ),
        (
            "says-too-much",
            "its first message is malformed: 1 bytes are left over",
        ),
        (
            "claims-many-modules",
            "its first message is malformed: UnexpectedEnd",
        ),
        (
            "chooses-another-channel",
            "its first message is malformed: ",
        ),
        ("says-far-too-much", "longer than any"),
    ] {
        let error = error_of(misbehaving(how)).await;
        assert!(
            matches!(error, SpawnError::Incompatible { .. }),
            "{how}: {error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains("worker `misbehaving-worker`") && text.contains(what),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_worker_that_takes_rings_which_it_was_not_offered_is_incompatible() {
    let builder = misbehaving("counts-calls").arg("over-rings");
    let error = error_of(builder.channel(ChannelKind::Socket)).await;
    assert!(
        matches!(error, SpawnError::Incompatible { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("its rings can't be used: it was offered the socket alone"),
        "{text}"
    );
}

#[tokio::test]
async fn a_program_that_echoes_is_no_worker() {
    let error = error_of(Worker::builder("/bin/cat").startup_timeout(SHORT)).await;
    assert!(matches!(error, SpawnError::TimedOut { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("worker `cat` (`/bin/cat`) was not ready"),
        "{error}"
    );
}

#[tokio::test]
async fn a_program_that_succeeds_is_no_worker() {
    let error = error_of(Worker::builder("/bin/true")).await;
    let SpawnError::Ended { end, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(end.reason(), &EndReason::Exited(0));
    let text = error.to_string();
    assert!(
        text.contains("worker `true` (`/bin/true`) ended before it was ready"),
        "{text}"
    );
    assert!(text.contains("does it serve modules"), "{text}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = error_of(Worker::builder("/no/such/worker")).await;
    let SpawnError::Program { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    let text = error.to_string();
    assert!(
        text.contains("`/no/such/worker` can't be started"),
        "{text}"
    );
}

#[tokio::test]
async fn a_file_that_is_not_executable_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o600)).unwrap();
    let error = error_of(Worker::builder(file.path())).await;
    let SpawnError::Program { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(
        error.to_string().contains("is it built, and executable?"),
        "{error}"
    );
}

// A real worker.

/// Sends a first message and expects the worker to exit, saying `what`.
fn assert_refused(hello: &[u8], what: &str) {
    let host = Host::start(WORKER);
    host.send(hello);
    let ended = host.ended();
    assert_eq!((ended.code, ended.signal), (Some(70), None), "{ended:?}");
    assert!(
        ended.stderr.contains(what),
        "{what:?} is expected, not {:?}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn a_hello_that_is_none_ends_the_worker() {
    let hello = Hello::default();
    let magic =
        "the host can't be understood: its first message doesn't begin with the magic number";
    let malformed = "the host can't be understood: its first message is malformed";
    assert_refused(b"GET / HTTP/1.1\r\n", magic);
    assert_refused(b"R", magic);
    assert_refused(&hello.write()[..11], magic);
    let version = "the host can't be understood: it speaks version 2 of the wire";
    assert_refused(
        &Hello {
            version: 2,
            ..hello.clone()
        }
        .write(),
        version,
    );
    assert_refused(&hello.write()[..30], malformed);
    assert_refused(&[hello.write(), vec![0]].concat(), malformed);
    assert_refused(
        &Hello {
            trust: 7,
            ..hello.clone()
        }
        .write(),
        malformed,
    );
    assert_refused(
        &Hello {
            dispatcher: 7,
            ..hello.clone()
        }
        .write(),
        malformed,
    );
    let claim = [&hello.write()[..40], &[0xff; 8]].concat();
    assert_refused(&claim, malformed);
}

#[test]
fn a_hello_longer_than_a_message_ends_the_worker() {
    let hello = Hello {
        worker: "w".repeat(70_000),
        ..Hello::default()
    };
    assert_refused(&hello.write(), "the host can't be understood");
}

#[test]
fn a_hello_with_two_descriptors_ends_the_worker() {
    let (host, memory) = (Host::start(WORKER), Memory::new(64));
    host.end()
        .try_send(&Hello::default().write(), &[memory.as_fd(), memory.as_fd()]);
    let ended = host.ended();
    assert_eq!(ended.code, Some(70), "{ended:?}");
    assert!(
        ended.stderr.contains("the host can't be understood"),
        "{ended:?}"
    );
}

#[test]
fn a_limit_of_nothing_counts_as_one() {
    let hello = Hello {
        frame_bytes: 0,
        n_calls: 0,
        n_handles: 0,
        n_segments: 0,
        ..Hello::default()
    };
    let (host, memory) = (Host::greeted_with(WORKER, &hello), Memory::of_i64(&[1, 2]));
    host.announce(1, &memory);
    let values = Handle::row(1, dtype::I64, 2);
    host.call(1, "arrays.sum", &[values], &0u32.to_le_bytes());
    assert_eq!(host.result(1), 3i64.to_le_bytes());
    host.shut_down();
}

#[test]
fn channels_that_the_worker_does_not_know_are_passed_over() {
    let host = Host::greeted_with(
        WORKER,
        &Hello {
            channels: vec![9, 0],
            ..Hello::default()
        },
    );
    host.shut_down();
}

#[test]
fn a_host_that_is_gone_before_it_said_anything_ends_the_worker() {
    let ended = Host::start(WORKER).closed();
    assert_eq!((ended.code, ended.signal), (Some(70), None), "{ended:?}");
    assert_eq!(
        ended.stderr,
        "the host was gone before the worker was ready\n"
    );
}

#[test]
fn the_end_of_the_process_behind_the_pidfd_ends_the_worker() {
    let mut process = Command::new("/bin/cat")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&process);
    let flags = rustix::process::PidfdFlags::empty();
    let pidfd = rustix::process::pidfd_open(pid, flags).unwrap();
    let host = Host::greeted_beside(WORKER, &Hello::default(), pidfd);
    host.assert_alive();
    drop(process.stdin.take());
    process.wait().unwrap();
    assert_eq!(host.ended().signal, Some(9));
}

#[test]
fn a_worker_that_is_started_by_hand_says_so() {
    for stdin in [Stdio::null(), Stdio::piped()] {
        let output = Command::new(WORKER).stdin(stdin).output().unwrap();
        assert_eq!(output.status.code(), Some(70));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("this program is a reedbed worker: a host starts it"),
            "{said}"
        );
    }
}
