//! The last holder of a worker ends whatever is under way to start it again.

use std::fs;
use std::os::unix::fs::symlink;

use reedbed::{RestartPolicy, Worker};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::watched::watched;

use crate::{FOR_EVER, QUICK, SLOW, TestResult, WORKER, kill, spawn};

#[tokio::test]
async fn the_last_holder_ends_a_backoff() -> TestResult {
    watched(async {
        let worker = spawn(SLOW).await?;
        kill(&worker).await?;
        drop(worker);
        // That no thread is left is seen by its name.
        let is_over = || {
            let threads = fs::read_dir("/proc/self/task")
                .into_iter()
                .flatten()
                .flatten();
            let mut names =
                threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
            !names.any(|name| name.trim() == "reedbed phoenix")
        };
        while !is_over() {
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_last_holder_ends_a_start() -> TestResult {
    watched(async {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("worker");
        symlink(WORKER, &program)?;
        let worker = Worker::builder(&program).restart_policy(RestartPolicy::Always(QUICK));
        let worker = worker.startup_timeout(FOR_EVER).spawn().await?;
        // The next one never says a word.
        let gates = Gates::new();
        let began = gates.make("began");
        fs::remove_file(&program)?;
        let script = folder.path().join("silent");
        let silent = format!("echo > '{}'\nexec sleep 3600\n", began.display());
        reedbed_tests::program::script(&script, &silent)?;
        symlink(script, &program)?;
        kill(&worker).await?;
        assert_eq!(gate::read(&began).await, b"\n");
        drop(worker);
        // `watched` sees that no process is left.
        Ok(())
    })
    .await
}
