//! A host that the tests can kill, or run under limits. Its first argument says what it does.

use std::error::Error;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use reedbed::{CallError, Sandbox, SpawnError, Worker};
use reedbed_tests::breakout::attempts;
use reedbed_tests::gate::Gates;
use reedbed_tests::limits;
use reedbed_tests::modules::{control, values};
use reedbed_tests::named;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run-forever", worker] => run_forever(worker, false).await,
        ["run-forever-with-child", worker] => run_forever(worker, true).await,
        ["recursive"] | ["--reedbed-worker"] => recursive().await,
        ["late"] | ["--reedbed-worker", "late"] => late().await,
        ["replaced"] => replaced().await,
        ["without-landlock", worker, launcher] => without_landlock(worker, launcher).await,
        ["sandboxed"] | ["--reedbed-worker", "sandboxed"] | ["--reedbed-sandbox"] => {
            sandboxed(Sandbox::new()).await
        }
        ["sandboxed-by", launcher] => sandboxed(Sandbox::new().launcher(launcher)).await,
        ["library", library] => echo(&Worker::spawn_library(library).await?).await,
        ["under-limits", worker, limit] => limits::run(worker, limit).await,
        ["named", ref arguments @ ..] => named::run(arguments),
        _ => Err("see the source for what to say".into()),
    }
}

/// Prints the worker's number while the worker runs a function that never returns.
async fn run_forever(worker: &str, has_child: bool) -> Result<(), Box<dyn Error>> {
    let worker = Worker::spawn(worker).await?;
    let control = worker.import::<control::Client>().await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let call = control.run_until_cancelled(pair.clone());
    let told = async {
        reedbed_tests::gate::pass(&pair.0).await;
        let mut out = std::io::stdout();
        writeln!(out, "{}", worker.id().ok_or("a worker in a process")?)?;
        if has_child {
            let child = Command::new("sleep").arg("600").spawn()?;
            writeln!(out, "{}", child.id())?;
        }
        out.flush()?;
        std::future::pending::<Result<(), Box<dyn Error>>>().await
    };
    let (result, _) = futures::join!(call, told);
    Ok(result?)
}

/// Spawns itself before it says what it serves.
async fn recursive() -> Result<(), Box<dyn Error>> {
    let is_worker = std::env::args()
        .nth(1)
        .is_some_and(|marker| marker == "--reedbed-worker");
    if !is_worker {
        reedbed_worker::init![values];
    }
    let worker = Worker::spawn_self().await?;
    worker.import::<values::Client>().await?;
    Ok(())
}

/// Says what it serves when a thread runs already, and in a task of a runtime.
async fn late() -> Result<(), Box<dyn Error>> {
    let thread = std::thread::spawn(std::thread::park);
    reedbed_worker::init![values];
    let worker = Worker::builder_of_self().arg("late").spawn().await?;
    echo(&worker).await?;
    println!("{}", worker.shutdown(Duration::from_secs(60)).await);
    thread.thread().unpark();
    thread.join().map_err(|_| "the thread panicked")?;
    Ok(())
}

/// Runs itself in a sandbox, which it launches itself, unless that names a launcher.
async fn sandboxed(sandbox: Sandbox) -> Result<(), Box<dyn Error>> {
    reedbed_worker::init![attempts];
    let builder = Worker::builder_of_self().arg("sandboxed");
    let worker = builder.sandbox(sandbox).spawn().await?;
    let attempts = worker.import::<attempts::Client>().await?;
    if let Err(CallError::Returned(_)) = attempts.read("/etc/passwd".as_ref()).await {
        println!("it can't read /etc/passwd");
    }
    Ok(())
}

/// Runs where the kernel has no landlock: a filter says so, to this process and its children.
async fn without_landlock(worker: &str, launcher: &str) -> Result<(), Box<dyn Error>> {
    use seccompiler::{SeccompAction, SeccompFilter};
    let rules = [(libc::SYS_landlock_create_ruleset, Vec::new())].into();
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let processor = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, processor)?;
    let filter: seccompiler::BpfProgram = filter.try_into()?;
    seccompiler::apply_filter_all_threads(&filter)?;

    let sandbox = Sandbox::new().launcher(launcher);
    let builder = Worker::builder(worker);
    match builder.clone().sandbox(sandbox.clone()).spawn().await {
        Err(SpawnError::Sandbox { source, .. }) => println!("{source}"),
        other => println!("{other:?}"),
    }
    let worker = builder.sandbox(sandbox.best_effort()).spawn().await?;
    let attempts = worker.import::<attempts::Client>().await?;
    // What seccomp refuses, it refuses all the same.
    println!(
        "{:?}",
        attempts
            .datagrams()
            .await
            .map_err(|error| error.to_string())
    );
    println!("{}", attempts.read("/etc/passwd".as_ref()).await.is_ok());
    Ok(())
}

/// Runs itself after something else has taken the place of its file.
async fn replaced() -> Result<(), Box<dyn Error>> {
    reedbed_worker::init![values];
    let own = std::env::current_exe()?;
    std::fs::remove_file(&own)?;
    std::fs::write(&own, "no program")?;
    let worker = Worker::builder_of_self().arg("late").spawn().await?;
    echo(&worker).await
}

/// Has the worker say something.
async fn echo(worker: &Worker) -> Result<(), Box<dyn Error>> {
    let values = worker.import::<values::Client>().await?;
    let name = worker.name().to_owned();
    println!("{} answers", values.echo(name).await?);
    Ok(())
}
