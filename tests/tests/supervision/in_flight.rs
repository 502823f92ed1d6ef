//! Calls that were in flight, or nearly: which are sent again, and which are not.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join;
use ndarray::{Ix1, array};
use reedbed::schema::{Schema, SchemaWriter};
use reedbed::{ChannelKind, FailureCause, Request, RestartPolicy, Tensor, Worker};
use reedbed_tests::deaths::ends;
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize, Serializer};

use crate::{QUICK, SLOW, TestResult, WORKER, builder, failure, kill, spawn};

#[tokio::test]
async fn only_who_says_so_is_called_twice() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let ends = worker.import::<ends::Client>().await?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bomb");
        fs::write(&path, "")?;
        let failed = failure(ends.abort_once(path.clone()).await.unwrap_err());
        let cause = failed.cause();
        assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");

        fs::write(&path, "")?;
        let request = Request::new(move |client: &ends::Client| client.abort_once(path.clone()));
        assert_eq!(Some(request.repeated(&ends).await?), worker.id());

        // As often as was said, and no more; and each attempt has run.
        static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
        let request = Request::new(|client: &ends::Client| {
            ATTEMPTS.fetch_add(1, Ordering::Relaxed);
            client.abort()
        });
        let failed = failure(request.repeated(&ends).attempts(4).await.unwrap_err());
        assert!(
            matches!(failed.cause(), FailureCause::WorkerDied { .. }),
            "{failed}"
        );
        assert_eq!(ATTEMPTS.load(Ordering::Relaxed), 4);

        // Where nobody comes, nobody knows whether the first attempt ran.
        let worker = Worker::spawn(WORKER).await?;
        let ends = worker.import::<ends::Client>().await?;
        let failed = failure(request.repeated(&ends).await.unwrap_err());
        assert!(
            matches!(failed.cause(), FailureCause::WorkerDied { .. }),
            "{failed}"
        );
        assert!(!failed.is_retryable());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_was_in_flight_is_poisoned_and_not_repeated() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let arrays = worker.import::<arrays::Client>().await?;
        let gates = Gates::new();
        let (began, never) = gates.pair();
        let mut labels = Tensor::<u32, ndarray::Ix2>::zeros((2, 2))?;
        let call = arrays.fill_in_two_steps(&mut labels, 3, (began.clone(), never));
        let rest = async {
            pass(&began).await;
            kill(&worker).await
        };
        let (filled, killed) = join(call, rest).await;
        killed?;
        let failed = failure(filled.unwrap_err());
        assert!(!failed.is_retryable(), "{failed}");
        assert!(labels.is_poisoned());
        labels.recover()?;
        assert_eq!(arrays.fill(&mut labels, 9).await?, 4);
        Ok(())
    })
    .await
}

/// A label that takes so long to write that the worker is dead when it is.
#[derive(Debug, Deserialize)]
struct Deadly(String);

/// The process that dies, once.
static VICTIM: AtomicU32 = AtomicU32::new(0);

impl Serialize for Deadly {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(pid) = Pid::from_raw(VICTIM.swap(0, Ordering::Relaxed).cast_signed()) {
            let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("it lives");
            pidfd_send_signal(&pidfd, Signal::KILL).expect("it lives");
            let mut fds = [rustix::event::PollFd::new(
                &pidfd,
                rustix::event::PollFlags::IN,
            )];
            rustix::event::poll(&mut fds, None).expect("its end");
        }
        self.0.serialize(serializer)
    }
}

impl Schema for Deadly {
    fn describe(writer: &mut SchemaWriter) {
        String::describe(writer);
    }
}

/// The worker's module, as a caller knows it that kills the worker while it prepares a call.
mod deadly {
    #[reedbed::remote_module]
    pub(super) mod ends {
        use ndarray::{ArrayView1, ArrayViewMut1, Ix1};
        use reedbed::Tensor;

        use crate::in_flight::Deadly;

        pub fn weigh(
            #[ndarray] given: Tensor<i64, Ix1>,
            #[ndarray] lent: ArrayView1<'_, i64>,
            #[ndarray] filled: ArrayViewMut1<'_, i64>,
            label: Deadly,
        ) -> Tensor<i64, Ix1> {
            let _ = (lent, filled, label);
            given
        }
    }
}

#[tokio::test]
async fn a_worker_that_dies_while_a_call_is_prepared_never_had_it() -> TestResult {
    watched(async {
        for backoff in [QUICK, SLOW] {
            // A message, unlike a frame in a ring, can't be sent to who is dead.
            let policy = RestartPolicy::OnFailure(backoff);
            let worker = builder(policy).channel(ChannelKind::Socket).spawn().await?;
            let ends = worker.import::<deadly::ends::Client>().await?;
            let lent = Tensor::from(array![1i64, 2]);
            let mut filled = Tensor::from(array![0i64]);
            let given = Tensor::from(array![7i64, 8, 9]);
            VICTIM.store(worker.id().ok_or("a process")?, Ordering::Relaxed);
            let call = ends.weigh(given, &lent, &mut filled, Deadly("pound".to_owned()));
            if backoff == QUICK {
                // The next one has it, with every array.
                assert_eq!(call.await?.view()?, array![7, 8, 9].view());
                assert_eq!(filled.view()?, array![8].view());
            } else {
                let call = call.deadline(Duration::from_millis(200));
                let mut failed = failure(call.await.unwrap_err());
                let given: Tensor<i64, Ix1> = failed.reclaim("given").expect("it was not sent");
                assert_eq!(given.view()?, array![7, 8, 9].view());
                assert!(!filled.is_poisoned());
            }
            assert_eq!(VICTIM.load(Ordering::Relaxed), 0, "it was killed");
            assert_eq!(lent.released().await, ());
            filled.view_mut()?.fill(1);
        }
        Ok(())
    })
    .await
}
