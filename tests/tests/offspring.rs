//! What becomes of processes that a worker has started when the worker is no more.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use reedbed::Worker;
use reedbed_tests::by_hand::end;
use reedbed_tests::families::offspring;
use reedbed_tests::modules::control;
use reedbed_tests::watched::watched;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// A worker and its clients.
struct Parent {
    worker: Worker,
    control: control::Client,
    offspring: offspring::Client,
}

impl Parent {
    async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let worker = Worker::spawn(WORKER).await?;
        Ok(Self {
            control: worker.import().await?,
            offspring: worker.import().await?,
            worker,
        })
    }

    fn kill(&self) -> TestResult {
        let process = process(self.worker.id().ok_or("a process")?)?;
        Ok(pidfd_send_signal(process, Signal::KILL)?)
    }
}

/// A live process, by its number.
fn process(number: u32) -> Result<OwnedFd, Box<dyn std::error::Error>> {
    let pid = Pid::from_raw(number.cast_signed()).ok_or("a number")?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Tells whether a process runs, and isn't even a zombie.
fn lives(process: &OwnedFd) -> Result<bool, rustix::io::Errno> {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    Ok(rustix::event::poll(&mut fds, Some(&Timespec::default()))? == 0)
}

/// Waits until a process has ended.
async fn end_of(process: OwnedFd) -> TestResult {
    let wait = move || end::wait_for(process.as_fd());
    assert!(tokio::task::spawn_blocking(wait).await?, "it lives on");
    Ok(())
}

#[tokio::test]
async fn they_end_with_a_worker_that_is_killed() -> TestResult {
    watched(async {
        let parent = Parent::new().await?;
        let child = process(parent.offspring.sleep().await?)?;
        parent.kill()?;
        end_of(child).await
    })
    .await
}

#[tokio::test]
async fn they_end_with_a_worker_that_crashes_or_exits() -> TestResult {
    watched(async {
        let parent = Parent::new().await?;
        let child = process(parent.offspring.sleep().await?)?;
        assert!(parent.control.crash().await.is_err());
        end_of(child).await?;

        let parent = Parent::new().await?;
        let child = process(parent.offspring.sleep().await?)?;
        assert!(parent.control.exit(0).await.is_err());
        end_of(child).await
    })
    .await
}

#[tokio::test]
async fn they_end_with_a_worker_that_is_shut_down_or_dropped() -> TestResult {
    watched(async {
        let parent = Parent::new().await?;
        let child = process(parent.offspring.sleep().await?)?;
        parent.worker.shutdown(Duration::from_secs(60)).await;
        end_of(child).await?;

        let parent = Parent::new().await?;
        let child = process(parent.offspring.sleep().await?)?;
        drop(parent);
        end_of(child).await
    })
    .await
}

/// As Python's tracker of shared memory does: it ignores the signal, and tidies up when its input ends.
#[tokio::test]
async fn one_that_tidies_up_after_a_worker_may_do_so() -> TestResult {
    watched(async {
        let file = tempfile::NamedTempFile::new()?.into_temp_path();
        let parent = Parent::new().await?;
        let child = process(parent.offspring.tidy(file.to_path_buf()).await?)?;
        parent.kill()?;
        end_of(child).await?;
        assert!(!file.exists());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_that_has_left_the_group_lives_on() -> TestResult {
    watched(async {
        let parent = Parent::new().await?;
        let apart = process(parent.offspring.sleep_apart().await?)?;
        let child = process(parent.offspring.sleep().await?)?;
        parent.worker.shutdown(Duration::from_secs(60)).await;
        end_of(child).await?;
        assert!(lives(&apart)?);
        pidfd_send_signal(&apart, Signal::KILL)?;
        end_of(apart).await
    })
    .await
}
