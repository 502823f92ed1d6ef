//! A crew of which one worker is trusted and another one isn't.

use ndarray::Ix2;
use reedbed::failpoint::{Action, Point, arm, disarm};
use reedbed::{Backoff, ChannelKind, Crew, RestartPolicy, Tensor, Trust, Worker};
use reedbed_tests::modules::{arrays, control};
use reedbed_tests::system;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::{LIMIT, TestResult, WORKER, alone};

/// Kills a worker; returns when its end of the socket is closed.
fn kill(worker: u32) {
    let process = Pid::from_raw(worker.cast_signed()).expect("a process number");
    let pidfd = pidfd_open(process, PidfdFlags::empty()).expect("it is there");
    kill_process(process, Signal::KILL).expect("our child");
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).expect("it ends");
}

/// An untrusted worker ends when a call of it is prepared and not sent: the array to be written lies in a
/// copy that it may write. The call waits for the worker's next process, however idle the trusted worker
/// of the crew is meanwhile, which must not look at what may change.
#[tokio::test]
async fn what_an_untrusted_worker_may_write_is_not_handed_to_a_trusted_one() -> TestResult {
    alone(async {
        let socket = ChannelKind::Socket;
        let backoff = Backoff::default();
        let untrusted = Worker::builder(WORKER).trust(Trust::Untrusted);
        let untrusted = untrusted.restart_policy(RestartPolicy::Always(backoff));
        let untrusted = untrusted.channel(socket).spawn().await?;
        let trusted = Worker::builder(WORKER).channel(socket).spawn().await?;
        let id = |worker: &Worker| worker.id().ok_or("a process");
        let (first, other) = (id(&untrusted)?, id(&trusted)?);
        let crew = Crew::of([untrusted.clone(), trusted]).ok_or("two workers")?;
        let arrays = crew.import::<arrays::Client>().await?;
        let control = crew.import::<control::Client>().await?;
        // Idle workers take turns.
        while control.process_id().await? != other {}
        let n_mapped = system::segment_mappings(other);

        let mut image = Tensor::<u16, Ix2>::zeros((300, 300))?;
        arm(
            Point::Sending,
            1,
            Action::Call(Box::new(move || kill(first))),
        );
        let written = tokio::time::timeout(LIMIT, arrays.where_written(&mut image)).await;
        disarm();
        let written = written??.ok_or("it lies in a segment")?;
        assert!(written.is_writable);
        assert_eq!(system::segment_mappings(other), n_mapped);
        assert_ne!(id(&untrusted)?, first, "it has a successor");
        Ok(())
    })
    .await
}
