//! Whose end is whose, and where the output goes.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ndarray::Ix2;
use reedbed::Stub as _;
use reedbed::{EndReason, FailureCause, ImportError, LogStream, Tensor};
use reedbed_tests::by_hand::bytes::Bytes;
use reedbed_tests::by_hand::frame::{self, Frame};
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::host::{Hello, Host};
use reedbed_tests::by_hand::memory::Memory;
use reedbed_tests::gate::{self, Gates};
use rustix::process::{Pid, PidfdFlags};

use crate::{Client, LIBRARY, SCRIPT, TestResult, program, start};

#[tokio::test]
async fn a_worker_that_is_killed_poisons_what_it_could_write() -> TestResult {
    let (worker, served) = start!("a_worker_that_is_killed_poisons_what_it_could_write");
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    let error = served.fill_then(&mut labels, 5, "die").await.unwrap_err();
    assert!(matches!(
        error.failure().map(|failure| failure.cause()),
        Some(FailureCause::WorkerDied { .. })
    ));
    assert_eq!(worker.ended().await.reason(), &EndReason::Signalled(9));
    assert!(labels.is_poisoned());
    labels.recover()?;
    assert_eq!(labels.view()?.sum(), 20);
    Ok(())
}

#[tokio::test]
async fn what_python_prints_reaches_the_log() -> TestResult {
    let Some(builder) = program("what_python_prints_reaches_the_log") else {
        return Ok(());
    };
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let log = move |line: reedbed::LogLine<'_>| {
        sink.lock()
            .unwrap()
            .push((line.stream, line.text.to_owned()))
    };
    let worker = builder.log(log).spawn().await?;
    let served: Client = worker.import().await?;
    served.say("hello").await?;
    let end = worker.shutdown(Duration::from_secs(60)).await;
    assert_eq!(end.reason(), &EndReason::Exited(0));
    let mut lines = lines.lock().unwrap().clone();
    lines.sort_by_key(|line| line.0 == LogStream::Stdout);
    let line = |stream| (stream, "hello".to_owned());
    assert_eq!(
        lines,
        [
            line(LogStream::Stderr),
            line(LogStream::Stdout),
            line(LogStream::Stdout)
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_shutdown_waits_for_the_calls_in_flight() -> TestResult {
    let (worker, served) = start!("a_shutdown_waits_for_the_calls_in_flight");
    let gates = Gates::new();
    let pair = gates.pair();
    let call = served.wait(pair.clone());
    let stop = async {
        gate::pass(&pair.0).await;
        let shutdown = worker.shutdown(Duration::from_secs(60));
        let last = gate::pass(&pair.1);
        futures::join!(shutdown, last).0
    };
    let (result, end) = futures::join!(call, stop);
    result?;
    assert_eq!(end.reason(), &EndReason::Exited(0));
    Ok(())
}

#[tokio::test]
async fn another_schema_is_told_function_by_function() -> TestResult {
    mod other {
        #[reedbed::remote_module]
        pub(super) mod served {
            pub fn divide(a: i32, b: i32) -> i32 {
                a / b
            }
            pub fn nothing() {}
        }
    }
    let (worker, _served) = start!("another_schema_is_told_function_by_function");
    let error = worker.import::<other::served::Client>().await.unwrap_err();
    let ImportError::SchemaMismatch { differences, .. } = &error else {
        panic!("a mismatch is expected, not {error}");
    };
    assert_eq!(differences.len(), 1);
    assert!(differences[0].contains("this program calls `divide(a: i32, b: i32) -> i32`, the worker serves `divide(a: i64, b: i64) -> result<i64, struct PythonError"), "{differences:?}");
    Ok(())
}

#[test]
fn a_python_worker_started_by_hand_says_what_it_is() -> TestResult {
    let Some(python) = reedbed_tests::python::with_numpy(
        env!("CARGO_TARGET_TMPDIR"),
        "a_python_worker_started_by_hand_says_what_it_is",
    ) else {
        return Ok(());
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/python/filters.py");
    let output = Command::new(python)
        .arg(script)
        .stdin(Stdio::null())
        .output()?;
    assert_eq!(output.status.code(), Some(70));
    let stderr = String::from_utf8(output.stderr)?;
    assert!(
        stderr.contains("this program is a reedbed worker: a host starts it"),
        "{stderr}"
    );
    Ok(())
}

/// A program without arguments that is the worker, for a host that speaks the wire by hand.
pub(crate) fn script(folder: &tempfile::TempDir, test: &str) -> Option<String> {
    let python = reedbed_tests::python::with_numpy(env!("CARGO_TARGET_TMPDIR"), test)?;
    let path = folder.path().join("worker");
    let text = format!(
        "PYTHONPATH='{LIBRARY}' exec '{}' -u -B '{SCRIPT}'\n",
        python.display()
    );
    reedbed_tests::program::script(&path, &text).expect("a script");
    Some(path.display().to_string())
}

/// Has a worker run a function that never returns.
fn run_forever(host: &Host, gates: &Gates) {
    let pair = gates.pair();
    let body = Bytes::new()
        .run(pair.0.as_os_str().as_encoded_bytes())
        .run(pair.1.as_os_str().as_encoded_bytes());
    host.call(1, "served.wait", &[], &body.done());
    // It has begun when it has passed the first gate.
    std::fs::OpenOptions::new()
        .write(true)
        .open(&pair.0)
        .expect("the gate is there");
}

#[test]
fn the_hosts_end_is_pythons_end_in_the_middle_of_a_call() -> TestResult {
    let (folder, gates) = (tempfile::tempdir()?, Gates::new());
    let Some(program) = script(
        &folder,
        "the_hosts_end_is_pythons_end_in_the_middle_of_a_call",
    ) else {
        return Ok(());
    };
    let host = Host::greeted(&program);
    run_forever(&host, &gates);
    let ended = host.closed();
    assert_eq!((ended.signal, ended.stderr.as_str()), (Some(9), ""));

    // The process that the descriptor beside `Hello` stands for, while the socket stays open.
    let mut stand_in = Command::new("sleep").arg("600").spawn()?;
    let pidfd = rustix::process::pidfd_open(Pid::from_child(&stand_in), PidfdFlags::empty())?;
    let host = Host::greeted_beside(&program, &Hello::default(), pidfd);
    run_forever(&host, &Gates::new());
    stand_in.kill()?;
    stand_in.wait()?;
    let ended = host.ended();
    assert_eq!((ended.signal, ended.stderr.as_str()), (Some(9), ""));
    Ok(())
}

#[test]
fn a_ping_is_answered_while_a_function_runs() -> TestResult {
    let (folder, gates) = (tempfile::tempdir()?, Gates::new());
    let Some(program) = script(&folder, "a_ping_is_answered_while_a_function_runs") else {
        return Ok(());
    };
    let host = Host::greeted(&program);
    host.send(&frame::ping(1));
    assert_eq!(host.receive(), Frame::Pong { n: 1 });
    run_forever(&host, &gates);
    host.send(&frame::ping(2));
    assert_eq!(host.receive(), Frame::Pong { n: 2 });
    Ok(())
}

#[test]
fn both_sides_compute_the_same_hash() -> TestResult {
    let folder = tempfile::tempdir()?;
    let Some(program) = script(&folder, "both_sides_compute_the_same_hash") else {
        return Ok(());
    };
    let host = Host::greeted(&program);
    let hash = Client::schema().hash();
    assert_eq!(host.modules, [("served".to_owned(), hash)]);
    host.shut_down();
    Ok(())
}

#[test]
fn a_host_that_breaks_the_protocol_is_told_how_and_left() -> TestResult {
    let folder = tempfile::tempdir()?;
    let Some(program) = script(
        &folder,
        "a_host_that_breaks_the_protocol_is_told_how_and_left",
    ) else {
        return Ok(());
    };
    let bytes = |n| Handle::row(1, dtype::U8, n);
    let total = |handle: &Handle| {
        let function = reedbed_tests::by_hand::function("served", "total");
        let argument = Bytes::new().u32(0).done();
        frame::call(1, function, std::slice::from_ref(handle), &argument)
    };
    let unknown = Handle {
        segment: 2,
        ..bytes(1)
    };
    for (message, what) in [
        (
            vec![99, 0, 0, 0],
            "sent frame 99, which a worker doesn't receive",
        ),
        (
            vec![6, 0, 0, 0, 1],
            "sent a malformed frame: 8 bytes are expected where 1 are left",
        ),
        (
            frame::forget(9),
            "forgot segment 9, which it never announced",
        ),
        (
            frame::refused(9, ""),
            "refused segment 9, which was never announced",
        ),
        (frame::ended(9), "ended transfer 9, which isn't under way"),
        (
            frame::segment(2, 64, false),
            "announced segment 2 without a descriptor",
        ),
        (total(&unknown), "named segment 2, which isn't known"),
        (
            total(&bytes(65)),
            "named bytes 0 to 65 of segment 1, which has 64",
        ),
        (
            total(&bytes(1).on(Terms::Moved(1))),
            "named segment 1 to be written, which was announced to be read",
        ),
        (
            frame::oversize(&bytes(8)),
            "sent a long frame that isn't a moved run of bytes",
        ),
    ] {
        let (host, memory) = (Host::greeted(&program), Memory::new(64));
        host.announce(1, &memory);
        host.call(1, "served.total", &[bytes(64)], &Bytes::new().u32(0).done());
        assert_eq!(host.result(1), 0u64.to_le_bytes());
        host.send(&message);
        host.assert_violation(what);
    }
    Ok(())
}
