//! A worker that fails is started again, and its callers hardly notice.
//!
//! Look at: the call that was in flight fails, for nobody knows how far it came; the next one waits for
//! the new process; a request that may run twice is made again by itself; a process that was stopped is
//! found by its silence; and a worker that fails too often is given up, with the numbers.
//!
//! `cargo run --bin supervision`

use std::path::PathBuf;
use std::time::Duration;

use reedbed::{Backoff, Heartbeat, Request, RestartPolicy, Worker, remote_module};

#[remote_module]
mod unsteady {
    use std::path::PathBuf;

    /// Returns the number of the process; aborts first, if there is such a file, and removes it.
    pub fn process(bomb: PathBuf) -> u32 {
        if std::fs::remove_file(bomb).is_ok() {
            std::process::abort();
        }
        std::process::id()
    }

    /// Stops the process, as a debugger would.
    pub fn freeze() {
        let id = std::process::id().to_string();
        let _ = std::process::Command::new("kill")
            .args(["-STOP", &id])
            .status();
        std::thread::park();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![unsteady];
    let backoff = Backoff {
        first: Duration::from_millis(10),
        n_restarts: 3,
        ..Backoff::default()
    };
    let heartbeat = Heartbeat {
        every: Duration::from_millis(100),
        missed: 2,
        ..Heartbeat::default()
    };
    let policy = RestartPolicy::OnFailure(backoff);
    let builder = Worker::builder_of_self().restart_policy(policy);
    let worker = builder.heartbeat(heartbeat).spawn().await?;
    let unsteady = worker.import::<unsteady::Client>().await?;

    let bomb = std::env::temp_dir().join(format!("reedbed-bomb-{}", std::process::id()));
    let first = unsteady.process(PathBuf::new()).await?;
    std::fs::write(&bomb, "")?;
    let failed = unsteady.process(bomb.clone()).await.expect_err("it aborts");
    println!("in flight: {failed}");
    let second = unsteady.process(bomb.clone()).await?;
    println!("unsent, so it waited: {}", second != first);

    std::fs::write(&bomb, "")?;
    let request = Request::new(move |client: &unsteady::Client| client.process(bomb.clone()));
    let third = request.repeated(&unsteady).await?;
    println!("may run twice: {}", third != second);

    let failed = unsteady.freeze().await.expect_err("it is stopped");
    println!("silent: {failed}");
    let _ = unsteady.freeze().await;
    let failed = unsteady.process(PathBuf::new()).await;
    println!("too often: {}", failed.expect_err("it is given up"));
    worker.restart(Duration::ZERO).await?;
    println!(
        "by hand: {}",
        unsteady.process(PathBuf::new()).await? != third
    );
    Ok(())
}
