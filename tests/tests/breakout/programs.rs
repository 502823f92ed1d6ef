//! Other programs, and processes of the worker's own.

use std::sync::{Arc, Mutex};

use super::*;

#[tokio::test]
async fn no_process_is_started() {
    assert_refused("forking", |client| async move { client.fork().await }).await;
    assert_refused("running", |client| async move {
        client.run("/bin/true".as_ref()).await
    })
    .await;
}

#[tokio::test]
async fn no_other_program_is_become() {
    assert_refused_to_all("another program", |client| async move {
        client
            .become_another("/bin/true".as_ref(), Vec::new())
            .await
    })
    .await;
    // The worker's own program could be become but for the filter that the worker adds.
    assert_refused_to_all("its own program", |client| async move {
        client.become_another(WORKER.as_ref(), Vec::new()).await
    })
    .await;
}

#[tokio::test]
async fn what_is_allowed_is_run_and_no_more() {
    watched(async {
        let (_worker, client) = confined(nothing().execute("/bin/true")).await;
        client.run("/bin/true".as_ref()).await.expect("allowed");
        client.fork().await.expect("it may start processes");
        let attempt = client.run("/bin/cat".as_ref()).await;
        assert!(is_refusal(refusal(attempt)));
        let attempt = client.fork_into_a_namespace().await;
        assert!(is_refusal(refusal(attempt)));
    })
    .await;
}

/// Such a child is a zombie until its host ends, which doesn't know of it.
#[tokio::test]
async fn no_child_is_left_to_the_host() {
    watched(async {
        let (_worker, client) = free().await;
        let child = client.fork_beside().await.expect("nothing prevents it");
        let child = rustix::process::Pid::from_raw(child.cast_signed());
        let waited = rustix::process::waitpid(child, rustix::process::WaitOptions::empty());
        assert!(waited.expect("it is this process's").is_some());
        for sandbox in [nothing(), nothing().execute("/bin/true")] {
            let (_worker, client) = confined(sandbox).await;
            assert_eq!(refusal(client.fork_beside().await), libc::EPERM);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_run_is_in_the_same_sandbox() {
    let folder = tempfile::tempdir().expect("a folder");
    let (secret, out) = (folder.path().join("secret"), folder.path().join("out"));
    std::fs::write(&secret, "secret").expect("a file");
    std::fs::create_dir(&out).expect("a folder");
    let script = folder.path().join("script");
    let text = format!(
        "cat {} > {out}/copy\necho $? > {out}/status\n",
        secret.display(),
        out = out.display()
    );
    reedbed_tests::program::script(&script, &text).expect("a script");
    watched(async {
        let sandbox = nothing()
            .execute("/bin")
            .execute("/usr/bin")
            .execute(&script)
            .write(&out);
        let (_worker, client) = confined(sandbox).await;
        client.run(&script).await.expect("allowed");
        let status = std::fs::read_to_string(out.join("status")).expect("it was run");
        assert_ne!(status.trim(), "0");
        assert_eq!(std::fs::read(out.join("copy")).expect("it was made"), b"");
    })
    .await;
}

#[tokio::test]
async fn a_program_is_confined_from_its_first_instruction() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "secret").expect("a file");
    let printed = watched(async {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&lines);
        let host = std::process::id().to_string();
        let builder = Worker::builder(WORKER)
            .args(["at-once".as_ref(), host.as_ref(), secret.as_os_str()])
            .log(move |line| sink.lock().expect("no panic").push(line.text.to_owned()))
            .sandbox(nothing());
        let (worker, client) = started(builder).await;
        assert!(client.start_thread().await.is_ok());
        worker.shutdown(std::time::Duration::from_secs(10)).await;
        let lines = lines.lock().expect("no panic");
        lines.clone()
    })
    .await;
    let (last, attempts) = printed.split_last().expect("lines");
    let names = attempts.iter().map(|line| {
        let (name, errno) = line.split_once(' ').expect("a name and a number");
        assert!(is_refusal(errno.parse().expect("a number")), "{line}");
        name
    });
    let tried = [
        "read", "memory", "trace", "signal", "socket", "fork", "exec",
    ];
    assert_eq!(names.collect::<Vec<_>>(), tried);
    // Its own program it may become, in the same sandbox: what it was, it is again.
    assert_eq!(last, "became itself");
}
