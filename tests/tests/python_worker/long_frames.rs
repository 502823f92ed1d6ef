//! Long frames that one side has no room for: their calls fail alone.

use reedbed::{CallFailure, Failure, FailureCause, Tensor};
use reedbed_tests::by_hand::bytes::Bytes;
use reedbed_tests::by_hand::frame::{self, Failure as Told, Frame};
use reedbed_tests::by_hand::function;
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::host::Host;
use reedbed_tests::by_hand::memory::Memory;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::ends::script;
use crate::{TestResult, start};

fn receive_long(host: &Host) -> u64 {
    match host.receive() {
        Frame::Oversize { frame } => match frame.terms {
            Terms::Moved(transfer) => transfer,
            terms => panic!("a long frame is moved, not {terms:?}"),
        },
        other => panic!("a long frame is expected, not {other:?}"),
    }
}

#[test]
fn a_long_call_that_can_not_be_read_is_no_call() -> TestResult {
    let folder = tempfile::tempdir()?;
    let Some(program) = script(&folder, "a_long_call_that_can_not_be_read_is_no_call") else {
        return Ok(());
    };
    let host = Host::greeted(&program);
    let text = Bytes::new().run("x".repeat(100_000)).done();
    let call = frame::call(1, function("served", "echo_text"), &[], &text);
    let memory = Memory::of(&call);
    // For writing, with a descriptor that only reads.
    let announcement = frame::segment(1, memory.len_bytes(), true);
    host.end().send_with(&announcement, memory.read_only());
    assert!(matches!(host.receive(), Frame::Refused { segment: 1, .. }));
    let place = |transfer| {
        let bytes = Handle::row(1, dtype::U8, call.len() as u64);
        frame::oversize(&bytes.on(Terms::Moved(transfer)))
    };
    host.send(&place(8));
    assert!(matches!(host.receive(), Frame::Unread { transfer: 8, .. }));
    host.call(2, "served.nothing", &[], &[]);
    assert_eq!(host.result(2), [0u8; 0]);
    host.announce(1, &memory);
    host.send(&place(9));
    assert_eq!(host.receive(), Frame::Ended { transfer: 9 });
    let (_segment, _memory) = host.receive_segment();
    let transfer = receive_long(&host);
    host.send(&frame::ended(transfer));
    host.shut_down();
    Ok(())
}

#[test]
fn a_long_answer_that_can_not_be_read_is_replaced() -> TestResult {
    let folder = tempfile::tempdir()?;
    let Some(program) = script(&folder, "a_long_answer_that_can_not_be_read_is_replaced") else {
        return Ok(());
    };
    let (host, memory) = (Host::greeted(&program), Memory::of_f64(&[1.0, 2.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 2).on(Terms::Moved(5));
    let body = Bytes::new().u32(0).u64(100_000).done();
    host.call(1, "served.pass_on_with_text", &[given], &body);
    let (own, _) = host.receive_segment();
    let (long, _) = host.receive_segment();
    assert_ne!(own, long);
    let transfer = receive_long(&host);
    host.send(&frame::shutdown());
    host.send(&frame::unread(transfer, "full"));
    // What was passed on is ended; what the worker made is its own again.
    assert_eq!(host.receive(), Frame::Ended { transfer: 5 });
    match host.failure(1) {
        Told::NotReturned { reason } => {
            assert!(reason.starts_with("no room for a frame of 100"), "{reason}");
            assert!(reason.ends_with(" bytes: full"), "{reason}");
        }
        other => panic!("it was not returned, but {other:?} came"),
    }
    let ended = host.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    Ok(())
}

#[test]
fn an_exception_in_many_words_is_told_in_fewer() -> TestResult {
    let folder = tempfile::tempdir()?;
    let Some(program) = script(&folder, "an_exception_in_many_words_is_told_in_fewer") else {
        return Ok(());
    };
    let host = Host::greeted(&program);
    host.call(1, "served.raise_at_length", &[], &100_000u64.to_le_bytes());
    let _ = host.receive_segment();
    let transfer = receive_long(&host);
    host.send(&frame::unread(transfer, "full"));
    let Told::Panicked { message, location } = host.failure(1) else {
        panic!("it raised something");
    };
    assert_eq!(message, format!("ValueError: {} ..", "x".repeat(4084)));
    assert!(location.is_some_and(|place| place.contains("served.py:")));
    host.send(&frame::unread(transfer, "full"));
    host.assert_violation(&format!("could not read transfer {transfer}, which is no"));
    Ok(())
}

/// What the worker said of a call that it did not complete.
fn refusal(failure: Option<&CallFailure>) -> Option<&Failure> {
    match failure?.cause() {
        FailureCause::Remote(refusal) => Some(refusal.reason()),
        _ => None,
    }
}

#[tokio::test]
async fn without_descriptors_long_frames_fail_their_calls_alone() -> TestResult {
    let (worker, served) = start!("without_descriptors_long_frames_fail_their_calls_alone");
    let pid = Pid::from_raw(worker.id().ok_or("a process")?.cast_signed());
    let many = getrlimit(Resource::Nofile);
    for n in [80_000, 400_000] {
        let given = || Tensor::<f64, ndarray::Ix1>::from_elem(1000, 1.0);
        reedbed::trim_pool();
        // Small ones share a segment, which it knows from now on.
        assert_eq!(served.take(given()?).await?, 1000.0);
        // All below are in use, and `poll` takes as many.
        let current = Some(4);
        prlimit(pid, Resource::Nofile, Rlimit { current, ..many })?;
        let long = "x".repeat(n);
        let error = served.echo_text(&long).await.unwrap_err();
        let told = refusal(error.failure());
        assert!(
            matches!(told, Some(Failure::SegmentRefused { .. })),
            "{error}"
        );
        let error = served.pass_on_with_text(given()?, n).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        let error = served.raise_at_length(n).await.unwrap_err();
        let told = refusal(error.failure());
        let Some(Failure::Panicked { message, .. }) = told else {
            panic!("{error}");
        };
        assert!(message.len() < 5000, "{}", message.len());
        prlimit(pid, Resource::Nofile, many)?;
        assert_eq!(served.echo_text(&long).await?.len(), n);
        let (passed, _, text) = served.pass_on_with_text(given()?, n).await?;
        assert_eq!((passed.view()?.sum(), text.len()), (1000.0, n));
    }
    Ok(())
}
