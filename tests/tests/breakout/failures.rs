//! Sandboxes that can't be had.

use std::process::{Command, Stdio};

use reedbed::{SandboxError, SpawnError};

use super::*;

async fn refused(builder: WorkerBuilder) -> (SandboxError, String) {
    let error = builder.spawn().await.expect_err("no such worker starts");
    let text = format!("{error:?}");
    match error {
        SpawnError::Sandbox { source, .. } => (source, text),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_is_named() {
    watched(async {
        let (error, text) = refused(builder().sandbox(nothing().read("/nowhere/at/all"))).await;
        assert!(matches!(error, SandboxError::Path { .. }), "{text}");
        assert!(text.contains("`/nowhere/at/all`"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    for program in ["/nowhere/at/all", "no-program-of-this-name"] {
        watched(async {
            let builder = Worker::builder(program).sandbox(nothing()).log(|_| {});
            let (error, text) = refused(builder).await;
            assert!(matches!(error, SandboxError::Program { .. }), "{text}");
            assert!(text.contains(program), "{text}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_program_that_can_not_be_run_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    watched(async {
        let builder = Worker::builder(file.path()).sandbox(nothing()).log(|_| {});
        let (error, text) = refused(builder).await;
        assert!(matches!(error, SandboxError::Launcher(_)), "{text}");
        assert!(text.contains("can't be opened"), "{text}");
    })
    .await;
}

/// It would allow the worker what comes behind it: here, to read a folder.
#[tokio::test]
async fn a_text_that_no_program_can_be_told_is_refused() {
    for builder in [
        builder().env("NAME", "value\0r/etc"),
        builder().env("NAME\0r/etc", "value"),
        builder().arg("argument\0r/etc"),
    ] {
        watched(async {
            let (error, text) = refused(builder.sandbox(nothing())).await;
            assert!(matches!(error, SandboxError::ZeroByte { .. }), "{text}");
            assert!(text.contains("has a zero byte"), "{text}");
        })
        .await;
    }
}

#[tokio::test]
async fn segments_with_names_are_refused() {
    watched(async {
        let builder = builder()
            .segments(reedbed::Segments::Named)
            .sandbox(nothing());
        let (error, text) = refused(builder).await;
        assert!(matches!(error, SandboxError::NamedSegments), "{text}");
    })
    .await;
}

#[test]
fn a_kernel_that_offers_less_is_an_error_unless_that_will_do() {
    let mut host = Command::new(env!("CARGO_BIN_EXE_test-host"));
    let host = host.args(["without-landlock", WORKER, LAUNCHER]);
    let output = host.stdin(Stdio::null()).output().expect("it runs");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stderr}");
    let [error, datagrams, read] = stdout.lines().collect::<Vec<_>>()[..] else {
        panic!("{stdout}{stderr}");
    };
    assert!(error.contains("landlock of version 6 is needed"), "{error}");
    assert!(datagrams.starts_with("Err"), "{datagrams}");
    // So little is said aloud.
    assert_eq!(read, "true");
    assert!(
        stderr.contains("the sandbox is less than asked for"),
        "{stderr}"
    );
}
