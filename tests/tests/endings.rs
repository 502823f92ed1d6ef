//! Why a worker is no more: every reason, by a real process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reedbed::{CallError, EndReason, FailureCause, SpawnError, Worker, WorkerEnd};
use reedbed_tests::deaths::ends;
use reedbed_tests::modules::control;
use reedbed_tests::watched::watched;
use rustix::process::{Pid, Signal};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// How the worker of a call ended, which its caller is told.
fn end_of(error: CallError) -> WorkerEnd {
    let failure = error.into_returned().expect_err("no error of its own");
    assert!(!failure.is_retryable(), "nobody knows how far it came");
    match failure.cause() {
        FailureCause::WorkerDied { end } => end.clone(),
        cause => panic!("the worker is dead: {cause}"),
    }
}

/// What it has started holds its end of the channel open, until the host closes the other one.
#[tokio::test]
async fn a_worker_that_ends_at_once_and_leaves_somebody_behind() -> TestResult {
    watched(async {
        let script = "exec 3<&0; cat <&3 >/dev/null 2>&1 & exit 3";
        let builder = Worker::builder("/bin/sh").arg("-c").arg(script);
        let builder = builder.startup_timeout(Duration::from_secs(3600));
        let error = builder.spawn().await.expect_err("it is no worker");
        let SpawnError::Ended { end, .. } = error else {
            panic!("it has ended: {error}");
        };
        assert_eq!(end.reason(), &EndReason::Exited(3));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn signals_exits_and_aborts() -> TestResult {
    watched(async {
        let signals = [
            (
                11,
                "signal 11 (SIGSEGV: an access to memory that isn't there)",
            ),
            (31, "signal 31 (SIGSYS: a system call that it may not make)"),
            (9, "signal 9 (SIGKILL)"),
        ];
        for (number, told) in signals {
            let worker = Worker::spawn(WORKER).await?;
            let ends = worker.import::<ends::Client>().await?;
            let end = end_of(ends.signal(number).await.unwrap_err());
            assert_eq!(end.reason(), &EndReason::Signalled(number));
            assert_eq!(end.to_string(), format!("it was killed by {told}"));
        }

        let worker = Worker::spawn(WORKER).await?;
        let control = worker.import::<control::Client>().await?;
        let end = end_of(control.exit(1).await.unwrap_err());
        assert_eq!(end.reason(), &EndReason::Exited(1));

        let worker = Worker::spawn(WORKER).await?;
        let ends = worker.import::<ends::Client>().await?;
        let end = end_of(ends.abort().await.unwrap_err());
        assert_eq!(end.reason(), &EndReason::Signalled(6));
        assert_eq!(end.panicked_at(), None);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_limit_on_processor_time_is_told_in_words() -> TestResult {
    watched(async {
        let worker = Worker::spawn(WORKER).await?;
        let ends = worker.import::<ends::Client>().await?;
        let end = end_of(ends.burn().await.unwrap_err());
        assert_eq!(end.reason(), &EndReason::Signalled(24));
        let told = end.to_string();
        assert!(told.contains("used up its processor time"), "{end}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_panic_that_ends_the_process_is_told_with_its_place() -> TestResult {
    watched(async {
        // The backtrace is longer than what is kept of a worker's words.
        let builder = Worker::builder(WORKER).env("RUST_BACKTRACE", "full");
        let worker = builder.log(|_| {}).spawn().await?;
        let ends = worker.import::<ends::Client>().await?;
        let error = ends.panic_for_good("out of ideas".to_owned()).await;
        let end = end_of(error.unwrap_err());
        assert_eq!(end.reason(), &EndReason::Signalled(6));
        let place = end.panicked_at().unwrap_or_default();
        assert!(place.contains("src/deaths.rs:"), "{end}");
        let told = format!(", after a panic at {place}");
        assert!(end.to_string().contains(&told), "{end}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_panic_before_the_worker_is_ready_is_told_with_its_place() -> TestResult {
    watched(async {
        let builder = Worker::builder(WORKER).arg("panic-at-start").log(|_| {});
        let error = builder.spawn().await.unwrap_err();
        let SpawnError::Ended { end, .. } = &error else {
            panic!("it ended: {error}");
        };
        assert_eq!(end.reason(), &EndReason::Exited(101));
        let place = end.panicked_at().unwrap_or_default();
        assert!(place.contains("test_worker.rs:"), "{error}");
        assert!(error.to_string().contains("there is no licence"), "{error}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_panic_that_a_worker_survived_did_not_end_it() -> TestResult {
    watched(async {
        let worker = Worker::builder(WORKER).log(|_| {}).spawn().await?;
        let control = worker.import::<control::Client>().await?;
        let ends = worker.import::<ends::Client>().await?;
        let panicked = control.panic("this call alone".to_owned()).await;
        assert!(panicked.is_err());
        let end = end_of(ends.abort().await.unwrap_err());
        assert_eq!(end.panicked_at(), None, "{end}");
        Ok(())
    })
    .await
}

/// A control group of its own with little memory, for as long as the test runs.
struct Scarce {
    folder: PathBuf,
}

impl Scarce {
    /// Makes one, of whichever version this machine has; `None` if this user may not.
    fn new() -> Option<Self> {
        let name = format!("reedbed-test-{}", std::process::id());
        let trees = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        trees.into_iter().find_map(|(tree, limit)| {
            let folder = Path::new(tree).join(&name);
            fs::create_dir(&folder).ok()?;
            let scarce = Self { folder };
            fs::write(scarce.folder.join(limit), "67108864").ok()?;
            // Swap would only make it slower.
            let _ = fs::write(scarce.folder.join("memory.swap.max"), "0");
            Some(scarce)
        })
    }

    /// A worker in it.
    async fn spawn(&self) -> Result<Worker, SpawnError> {
        let list = self.folder.join("cgroup.procs");
        let script = format!("echo 0 > '{}' && exec '{WORKER}'", list.display());
        let shell = Worker::builder("/bin/sh").args(["-c".to_owned(), script]);
        shell.name("hungry").spawn().await
    }
}

impl Drop for Scarce {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

#[tokio::test]
async fn a_kill_for_lack_of_memory_is_told_from_others() -> TestResult {
    watched(async {
        let Some(scarce) = Scarce::new() else {
            let test = "a_kill_for_lack_of_memory_is_told_from_others";
            let reason = "this user may not make a control group with a limit on memory";
            needs::missing("cgroup", test, reason);
            return Ok(());
        };
        // Somebody's SIGKILL, in the same group.
        let worker = scarce.spawn().await?;
        let id = worker.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        rustix::process::kill_process(id.ok_or("a process")?, Signal::KILL)?;
        assert_eq!(worker.ended().await.reason(), &EndReason::Signalled(9));

        let worker = scarce.spawn().await?;
        let ends = worker.import::<ends::Client>().await?;
        let end = end_of(ends.hog().await.unwrap_err());
        let EndReason::OutOfMemory { group } = end.reason() else {
            panic!("it had 64 MiB: {end}");
        };
        assert_eq!(group.file_name(), scarce.folder.file_name());
        assert!(end.to_string().contains("lack of memory"), "{end}");

        // The group has killed before, which isn't news.
        let worker = scarce.spawn().await?;
        let ends = worker.import::<ends::Client>().await?;
        let end = end_of(ends.signal(9).await.unwrap_err());
        assert_eq!(end.reason(), &EndReason::Signalled(9));
        Ok(())
    })
    .await
}
