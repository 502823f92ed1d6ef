//! How workers start and end, and what is left of them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ndarray::{Ix2, array};
use reedbed::{EndReason, ImportError, LogStream, SpawnError, Stub, Tensor, Worker, remote_module};
use reedbed_tests::modules::{arrays, control, values};
use reedbed_tests::named::names_of;
use reedbed_tests::system;
use rustix::process::{Pid, PidfdFlags, Signal};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// Waits until a process that isn't our child has ended.
fn wait_until_gone(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process number");
    // Not there any more: it has ended already.
    let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    let mut fds = [rustix::event::PollFd::new(
        &pidfd,
        rustix::event::PollFlags::IN,
    )];
    let limit = rustix::event::Timespec {
        tv_sec: 60,
        tv_nsec: 0,
    };
    assert_eq!(
        rustix::event::poll(&mut fds, Some(&limit)),
        Ok(1),
        "process {pid:?} lives on"
    );
}

#[tokio::test]
async fn any_name_and_any_limit_of_time_will_do() -> TestResult {
    let worker = Worker::builder(WORKER)
        .name("in two\0parts")
        .startup_timeout(Duration::MAX)
        .shutdown_grace(Duration::MAX)
        .stuck_timeout(Duration::MAX)
        .call_deadline(Duration::MAX)
        .spawn()
        .await?;
    assert_eq!(worker.name(), "in two\0parts");
    let control = worker.import::<control::Client>().await?;
    assert_eq!(Some(control.process_id().await?), worker.id());
    let end = worker.shutdown(Duration::MAX).await;
    assert_eq!(end.reason(), &EndReason::Exited(0));
    Ok(())
}

#[tokio::test]
async fn a_worker_has_its_arguments_environment_and_an_empty_standard_input() -> TestResult {
    let worker = Worker::builder(WORKER)
        .name("dressed")
        .arg("--flag")
        .env("REEDBED_TEST", "set")
        .env_remove("HOME")
        .spawn()
        .await?;
    let control = worker.import::<control::Client>().await?;
    assert_eq!(
        control.arguments().await?.get(1).map(String::as_str),
        Some("--flag")
    );
    assert_eq!(
        control
            .variable("REEDBED_TEST".to_owned())
            .await?
            .as_deref(),
        Some("set")
    );
    assert_eq!(control.variable("HOME".to_owned()).await?, None);
    assert_eq!(control.read_standard_input().await?, []);
    assert_eq!(worker.id(), Some(control.process_id().await?));
    assert_eq!(worker.name(), "dressed");
    Ok(())
}

#[tokio::test]
async fn what_a_worker_prints_reaches_the_log_and_not_the_channel() -> TestResult {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let worker = Worker::builder(WORKER)
        .log(move |line| {
            let line = (line.worker.to_owned(), line.stream, line.text.to_owned());
            sink.lock().unwrap().push(line);
        })
        .spawn()
        .await?;
    let control = worker.import::<control::Client>().await?;
    control
        .print("to stdout".to_owned(), "to stderr".to_owned())
        .await?;
    let end = worker.shutdown(Duration::from_secs(60)).await;
    assert_eq!(end.reason(), &EndReason::Exited(0));
    let mut lines = lines.lock().unwrap().clone();
    lines.sort_by(|a, b| a.2.cmp(&b.2));
    let name = "test-worker".to_owned();
    assert_eq!(
        lines,
        [
            (name.clone(), LogStream::Stderr, "to stderr".to_owned()),
            (name, LogStream::Stdout, "to stdout".to_owned()),
        ]
    );
    Ok(())
}

#[tokio::test]
async fn the_last_user_of_a_worker_ends_it() -> TestResult {
    let worker = Worker::spawn(WORKER).await?;
    let pid = worker.id().expect("a process");
    let values = worker.import::<values::Client>().await?;
    drop(worker);
    assert_eq!(
        values.echo("a client is a user".to_owned()).await?,
        "a client is a user"
    );
    drop(values);
    tokio::task::spawn_blocking(move || wait_until_gone(pid)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exit_is_told_with_its_status() -> TestResult {
    let worker = Worker::spawn(WORKER).await?;
    let control = worker.import::<control::Client>().await?;
    let error = control.exit(3).await.unwrap_err();
    assert!(
        error.to_string().contains("it exited with status 3"),
        "{error}"
    );
    let pid = worker.id().expect("a process");
    assert_eq!(worker.ended().await.reason(), &EndReason::Exited(3));
    assert!(!system::exists(pid), "it is reaped");
    Ok(())
}

#[tokio::test]
async fn a_killed_worker_poisons_and_its_memory_is_used_again() -> TestResult {
    let worker = Worker::spawn(WORKER).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let mut labels = Tensor::<u32, Ix2>::zeros((500, 500))?;
    let error = arrays
        .crash_after_writing(&mut labels, 5)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("SIGSEGV"), "{error}");
    assert!(labels.is_poisoned());
    labels.reset()?;

    let second = Worker::spawn(WORKER).await?;
    let arrays = second.import::<arrays::Client>().await?;
    assert_eq!(arrays.fill(&mut labels, 6).await?, 250_000);
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_of_many_workers() -> TestResult {
    let own = std::process::id();
    let round = || async {
        let worker = Worker::spawn(WORKER).await?;
        let arrays = worker.import::<arrays::Client>().await?;
        arrays.range(100_000).await?;
        arrays.sum(&Tensor::from(array![1i64, 2])).await?;
        let id = worker.id().ok_or("a process")?;
        worker.shutdown(Duration::from_secs(60)).await;
        Ok::<_, Box<dyn std::error::Error>>(id)
    };
    let mut processes = vec![own, round().await?];
    reedbed::trim_pool();
    let (open, mapped) = (system::descriptors(own), system::segment_mappings(own));
    for _ in 0..5 {
        processes.push(round().await?);
    }
    reedbed::trim_pool();
    // Other tests of this file come and go meanwhile, each with a worker of its own.
    assert!(
        system::descriptors(own) <= open + 64,
        "{} after {open}",
        system::descriptors(own)
    );
    assert!(system::segment_mappings(own) <= mapped + 16);
    let names: Vec<_> = processes.into_iter().flat_map(names_of).collect();
    assert!(names.is_empty(), "{names:?}");
    Ok(())
}

#[test]
fn the_hosts_end_is_the_workers_end_in_the_middle_of_a_call() -> TestResult {
    for signal in [Signal::KILL, Signal::TERM] {
        // A host of its own, whose worker runs a function that never returns.
        let mut host = Command::new(env!("CARGO_BIN_EXE_test-host"))
            .args(["run-forever", WORKER])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(host.stdout.take().expect("piped")).read_line(&mut line)?;
        let worker: u32 = line.trim().parse()?;
        assert!(system::exists(worker));
        rustix::process::kill_process(Pid::from_child(&host), signal)?;
        host.wait()?;
        wait_until_gone(worker);
    }
    Ok(())
}

#[test]
fn nothing_is_left_of_a_host_and_a_worker_that_are_killed_together() -> TestResult {
    let mut host = Command::new(env!("CARGO_BIN_EXE_test-host"))
        .args(["run-forever", WORKER])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(host.stdout.take().expect("piped")).read_line(&mut line)?;
    let worker: u32 = line.trim().parse()?;
    let processes = [host.id(), worker];
    let pid = Pid::from_raw(worker.cast_signed()).expect("a process number");
    rustix::process::kill_process(pid, Signal::KILL)?;
    host.kill()?;
    host.wait()?;
    wait_until_gone(worker);
    let names: Vec<_> = processes.into_iter().flat_map(names_of).collect();
    assert!(names.is_empty(), "{names:?}");
    Ok(())
}

#[test]
fn a_forked_child_of_the_host_keeps_no_worker_alive() -> TestResult {
    // The host starts a child that inherits whatever it can, and is killed.
    let mut host = Command::new(env!("CARGO_BIN_EXE_test-host"))
        .args(["run-forever-with-child", WORKER])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut reader = BufReader::new(host.stdout.take().expect("piped"));
    let mut number = || -> Result<u32, Box<dyn std::error::Error>> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    };
    let (worker, child) = (number()?, number()?);
    host.kill()?;
    host.wait()?;
    wait_until_gone(worker);
    let pid = Pid::from_raw(child.cast_signed()).expect("a process number");
    rustix::process::kill_process(pid, Signal::KILL)?;
    wait_until_gone(child);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_shuts_down_too_slowly_is_ended() -> TestResult {
    let worker = Worker::spawn(WORKER).await?;
    let control = worker.import::<control::Client>().await?;
    let gates = reedbed_tests::gate::Gates::new();
    let pair = gates.pair();
    let call = control.run_until_cancelled(pair.clone());
    let stop = async {
        reedbed_tests::gate::pass(&pair.0).await;
        worker.shutdown(Duration::from_millis(50)).await
    };
    let (result, end) = futures::join!(call, stop);
    assert!(result.is_err());
    assert_eq!(end.reason(), &EndReason::Signalled(15));
    assert!(end.to_string().contains("SIGTERM"), "{end}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_module_is_told_with_those_that_are_served() -> TestResult {
    #[remote_module]
    mod elsewhere {
        pub fn nothing() {}
    }
    let worker = Worker::spawn(WORKER).await?;
    let error = worker.import::<elsewhere::Client>().await.unwrap_err();
    assert!(matches!(error, ImportError::UnknownModule { .. }));
    let message = error.to_string();
    assert!(message.starts_with("worker `test-worker` serves no module `elsewhere`; it serves `arrays`, `control`, `values`"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_differing_schema_says_what_differs() -> TestResult {
    mod other {
        #[reedbed::remote_module]
        pub(super) mod values {
            pub fn length(text: &str) -> u32 {
                u32::try_from(text.len()).unwrap_or(u32::MAX)
            }
            pub fn no_longer_there() {}
            pub fn nothing() {}
        }
    }
    let worker = Worker::spawn(WORKER).await?;
    let error = worker.import::<other::values::Client>().await.unwrap_err();
    let ImportError::SchemaMismatch { differences, .. } = &error else {
        panic!("a mismatch is expected, not {error}");
    };
    assert_eq!(
        differences,
        &[
            "this program calls `length(text: string) -> u32`, the worker serves `length(text: string) -> u64`",
            "function `no_longer_there` isn't served",
        ]
    );
    assert!(
        error
            .to_string()
            .contains("build both from the same source"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_stub_of_fewer_functions_is_served() -> TestResult {
    mod subset {
        #[reedbed::remote_module]
        pub(super) mod values {
            pub fn echo(text: String) -> String {
                text
            }
        }
    }
    let worker = Worker::spawn(WORKER).await?;
    let values = worker.import::<subset::values::Client>().await?;
    assert_eq!(values.echo("enough".to_owned()).await?, "enough");
    assert_ne!(
        subset::values::Client::schema().hash(),
        values::Client::schema().hash()
    );
    Ok(())
}

#[test]
fn a_worker_program_started_by_hand_says_what_it_is() -> TestResult {
    let output = Command::new(WORKER).stdin(Stdio::null()).output()?;
    assert_eq!(output.status.code(), Some(70));
    let stderr = String::from_utf8(output.stderr)?;
    assert!(
        stderr.contains("this program is a reedbed worker: a host starts it"),
        "{stderr}"
    );
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = Worker::spawn(Path::new("/nowhere/at-all"))
        .await
        .unwrap_err();
    assert!(matches!(error, SpawnError::Program { .. }));
    assert!(
        error
            .to_string()
            .contains("`/nowhere/at-all` can't be started"),
        "{error}"
    );
}

#[tokio::test]
async fn two_modules_of_one_name_are_refused() {
    let twice = [values::MODULE, values::MODULE];
    let error = Worker::in_process(&twice).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("two modules are called `values`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_log_that_panics_loses_its_line_and_nothing_else() -> TestResult {
    let worker = Worker::builder(WORKER)
        .log(|line| panic!("no room for {}", line.text))
        .spawn()
        .await?;
    let control = worker.import::<control::Client>().await?;
    control.print("one".to_owned(), "two".to_owned()).await?;
    assert_eq!(control.process_id().await?, worker.id().expect("a process"));
    let end = worker.shutdown(Duration::from_secs(60)).await;
    assert_eq!(end.reason(), &EndReason::Exited(0));
    assert_eq!(end.last_lines().len(), 2);
    Ok(())
}

#[tokio::test]
async fn errors_of_calls_can_be_sent_and_shared() -> TestResult {
    async fn call(worker: &Worker) -> Result<i64, Box<dyn std::error::Error + Send + Sync>> {
        let values = worker.import::<values::Client>().await?;
        Ok(values.divide(1, 0).await?)
    }
    let worker = Worker::spawn(WORKER).await?;
    let error = call(&worker).await.expect_err("a quotient of zero");
    assert_eq!(error.to_string(), "1 can't be divided by zero");
    Ok(())
}
