//! Restarts by hand, while a policy is about to do the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use futures::future::{join, poll_immediate};
use ndarray::array;
use reedbed::{EndReason, RestartPolicy, Tensor, Worker};
use reedbed_tests::deaths::ends;
use reedbed_tests::gate::{self, Gates, pass};
use reedbed_tests::modules::{control, values};
use reedbed_tests::watched::watched;

use crate::{GRACE, QUICK, SLOW, TestResult, WORKER, kill, script, spawn};

#[tokio::test]
async fn a_restart_by_hand_is_quicker_and_serves_who_waits() -> TestResult {
    watched(async {
        let worker = spawn(SLOW).await?;
        let ends = worker.import::<ends::Client>().await?;
        let before = kill(&worker).await?;
        let lent = Tensor::from(array![1i64, 2]);
        let mut filled = Tensor::from(array![0i64]);
        let given = Tensor::from(array![7i64, 8, 9]);
        let call = ends.weigh(given, &lent, &mut filled, "pound".to_owned());
        let (returned, end) = join(call, worker.restart(GRACE)).await;
        assert_eq!(returned?.view()?, array![7, 8, 9].view());
        assert_eq!(end?.reason(), &EndReason::Signalled(9));
        assert_eq!(filled.view()?, array![8].view());
        assert_ne!(worker.id(), Some(before));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_by_hand_sends_no_call_to_a_worker_that_is_ending() -> TestResult {
    watched(async {
        let worker = spawn(SLOW).await?;
        let control = worker.import::<control::Client>().await?;
        let gates = Gates::new();
        let (began, ends) = gates.pair();
        let before = worker.id();
        // The old process has a call to finish.
        let first = control.pass((began.clone(), ends.clone()));
        let rest = async {
            pass(&began).await;
            let restart = worker.restart(GRACE);
            let mut restart = std::pin::pin!(restart);
            assert!(poll_immediate(&mut restart).await.is_none());
            let second = async {
                let call = control.process_id();
                let mut call = std::pin::pin!(call);
                assert!(poll_immediate(&mut call).await.is_none());
                pass(&ends).await;
                call.await
            };
            join(second, restart).await
        };
        let (first, (second, restarted)) = join(first, rest).await;
        assert_eq!(first?, 7);
        assert_ne!(before, Some(second?));
        assert_eq!(restarted?.reason(), &EndReason::Exited(0));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_by_hand_that_is_dropped_leaves_nobody_dead() -> TestResult {
    watched(async {
        let (folder, gates) = (tempfile::tempdir()?, Gates::new());
        let program = folder.path().join("worker");
        symlink(WORKER, &program)?;
        let worker = Worker::builder(&program).restart_policy(RestartPolicy::Always(QUICK));
        let worker = worker.log(|_| {}).spawn().await?;
        let values = worker.import::<values::Client>().await?;
        fs::remove_file(&program)?;
        let gate = gates.make("gate");
        symlink(late(folder.path(), &gate)?, &program)?;
        let first = kill(&worker).await?;
        let restart = worker.restart(GRACE);
        let mut restart = Box::pin(restart);
        // The next process has begun to start of itself, so it waits for its turn.
        let open = gate::open(&gate).await;
        assert!(poll_immediate(&mut restart).await.is_none());
        fs::remove_file(&program)?;
        symlink(WORKER, &program)?;
        drop(open);
        while worker.id() == Some(first) {
            tokio::task::yield_now().await;
        }
        // This one ends while somebody else is about to replace it, who changes their mind.
        let second = kill(&worker).await?;
        drop(restart);
        assert_eq!(values.echo("third".to_owned()).await?, "third");
        assert_ne!(worker.id(), Some(second));
        Ok(())
    })
    .await
}

/// A worker that starts once a gate was opened and closed again.
fn late(folder: &Path, gate: &Path) -> std::io::Result<std::path::PathBuf> {
    let gate = gate.display();
    script(folder, &format!("read line <'{gate}'\nexec '{WORKER}'\n"))
}
