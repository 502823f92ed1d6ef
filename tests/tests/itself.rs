//! Programs that run themselves as workers, and what keeps them from doing so without end.

use std::process::{Command, Stdio};

use reedbed::{EndReason, SpawnError, Worker};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const HOST: &str = env!("CARGO_BIN_EXE_test-host");

/// Runs a program; returns its status and what it printed.
fn run(program: &mut Command) -> Result<(Option<i32>, String, String), Box<dyn std::error::Error>> {
    let output = program.stdin(Stdio::null()).output()?;
    let (stdout, stderr) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    );
    Ok((output.status.code(), stdout, stderr))
}

#[tokio::test]
async fn without_saying_so_it_is_an_error() {
    // The test harness has a `main` that says nothing.
    let error = Worker::spawn_self().await.unwrap_err();
    assert!(matches!(error, SpawnError::NotInitialised));
    assert!(
        error.to_string().contains("`reedbed_worker::init![..]`"),
        "{error}"
    );
}

#[test]
fn before_it_serves_it_is_an_error() -> TestResult {
    let (_, _, stderr) = run(Command::new(HOST).arg("recursive"))?;
    assert!(
        stderr.contains("it can't run itself as a worker before it serves"),
        "{stderr}"
    );
    assert_eq!(
        stderr.matches("ended before it was ready").count(),
        1,
        "one level deep: {stderr}"
    );
    Ok(())
}

#[tokio::test]
async fn a_worker_that_lost_its_first_argument_runs_itself_no_further() {
    // It takes itself for the host, and begins with a worker of itself.
    let error = Worker::builder(HOST).arg("late").spawn().await.unwrap_err();
    let SpawnError::Ended { end, .. } = &error else {
        panic!("an end is expected, not {error}");
    };
    assert_eq!(end.reason(), &EndReason::Exited(1));
    let lines = end.last_lines().join("\n");
    assert!(
        lines.contains("did its first argument, `--reedbed-worker`, get lost?"),
        "{lines}"
    );
    assert!(
        !lines.contains("ended before it was ready"),
        "no level deeper: {lines}"
    );
}

#[test]
fn its_first_argument_alone_makes_no_worker() -> TestResult {
    let (status, _, stderr) = run(Command::new(HOST).args(["--reedbed-worker", "late"]))?;
    assert_eq!(status, Some(70));
    assert!(
        stderr.starts_with("this program is a reedbed worker: a host starts it"),
        "{stderr}"
    );
    Ok(())
}

#[test]
fn threads_and_a_runtime_may_be_there_already() -> TestResult {
    let (status, stdout, stderr) = run(Command::new(HOST).arg("late"))?;
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(stdout, "test-host answers\nit exited with status 0\n");
    Ok(())
}

#[test]
fn its_file_may_be_gone() -> TestResult {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("itself");
    reedbed_tests::program::copy(HOST, &program)?;
    let (status, stdout, stderr) = run(Command::new(&program).arg("replaced"))?;
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(stdout, "itself answers\n");
    assert_eq!(std::fs::read_to_string(&program)?, "no program");
    Ok(())
}
