//! Other processes: their memory, what they have open, and signals.

use std::os::fd::AsRawFd;

use super::*;

/// What lies in this process's memory.
static SECRET: [u8; 16] = *b"a host's secret.";

fn host() -> u32 {
    // Where Yama lets a process be traced by its ancestors alone, have the attempts without a sandbox
    // succeed all the same. Elsewhere the system doesn't know the request.
    let _ = rustix::process::set_ptracer(rustix::process::PTracer::Any);
    std::process::id()
}

fn address() -> u64 {
    SECRET.as_ptr().addr() as u64
}

#[tokio::test]
async fn the_hosts_memory_is_not_read() {
    let (host, address) = (host(), address());
    watched(async {
        let (_worker, client) = free().await;
        // Whoever is of the same user can, without a sandbox.
        let read = client.read_memory_file(host, address).await;
        assert_eq!(read.expect("the same user"), SECRET);
        let read = client.read_memory(host, address).await;
        assert_eq!(read.expect("the same user"), SECRET);
    })
    .await;
    for path in [true, false] {
        assert_refused_to_all("reading memory", |client| async move {
            match path {
                true => client.read_memory_file(host, address).await,
                false => client.read_memory(host, address).await,
            }
        })
        .await;
    }
}

#[tokio::test]
async fn the_hosts_memory_is_not_written() {
    let host = host();
    let target: Box<[u8; 16]> = Box::new([1; 16]);
    let address = target.as_ptr().addr() as u64;
    watched(async {
        let (_worker, client) = confined(nothing()).await;
        let attempts = [
            client.write_memory_file(host, address, vec![2; 16]).await,
            client.write_memory(host, address, vec![2; 16]).await,
        ];
        for attempt in attempts {
            assert!(is_refusal(refusal(attempt)));
        }
    })
    .await;
    assert_eq!(*target, [1; 16]);
}

#[tokio::test]
async fn the_host_is_not_traced() {
    let host = host();
    assert_refused("tracing", |client| async move { client.trace(host).await }).await;
}

#[tokio::test]
async fn nobody_is_signalled() {
    let host = host();
    assert_refused(
        "signalling",
        |client| async move { client.signal(host).await },
    )
    .await;
    assert_refused("by a descriptor", |client| async move {
        client.signal_by_descriptor(host).await
    })
    .await;
    assert_refused("by the kernel", |client| async move {
        client.have_the_kernel_signal(host).await
    })
    .await;
    // The worker has its host's pidfd, so it needs none of its own.
    assert_bare_refusal(libc::SYS_pidfd_send_signal).await;
    assert_bare_refusal(libc::SYS_tkill).await;
}

#[tokio::test]
async fn a_worker_that_may_start_processes_signals_those_alone() {
    let host = host();
    watched(async {
        let (_worker, client) = confined(nothing().execute("/bin/true")).await;
        let own = client.signal(_worker.id().expect("a process")).await;
        own.expect("it may signal itself");
        assert!(is_refusal(refusal(client.signal(host).await)));
        assert!(is_refusal(refusal(client.signal_by_descriptor(host).await)));
    })
    .await;
}

#[tokio::test]
async fn nobodys_descriptors_are_reached() {
    let host = host();
    let file = tempfile::tempfile().expect("a file");
    let fd = file.as_raw_fd().cast_unsigned();
    assert_refused("by the folder", |client| async move {
        client.open_descriptor(host, fd).await
    })
    .await;
    assert_refused("by a system call", |client| async move {
        client.take_descriptor(host, fd).await
    })
    .await;
    assert_refused(
        "comparing",
        |client| async move { client.compare(host).await },
    )
    .await;
    assert_bare_refusal(libc::SYS_pidfd_getfd).await;
}

#[tokio::test]
async fn nobodys_environment_is_read() {
    let host = host();
    assert_refused("the host's", |client| async move {
        client.read_environment(host).await
    })
    .await;
}

#[tokio::test]
async fn nobody_else_is_limited_or_moved() {
    let host = host();
    assert_refused("limits", |client| async move { client.limit(host).await }).await;
    assert_refused("processors", |client| async move { client.pin(host).await }).await;
    assert_refused("priority", |client| async move {
        client.set_priority(host).await
    })
    .await;
}

#[tokio::test]
async fn two_workers_do_not_reach_each_other() {
    watched(async {
        let (other, _client) = confined(nothing()).await;
        let other = other.id().expect("a process");
        let (_worker, client) = confined(nothing().read("/proc")).await;
        assert!(is_refusal(refusal(client.trace(other).await)));
        assert!(is_refusal(refusal(
            client.read_memory(other, address()).await
        )));
        assert!(is_refusal(refusal(client.read_environment(other).await)));
        assert!(is_refusal(refusal(client.open_descriptor(other, 1).await)));
        assert!(is_refusal(refusal(client.signal(other).await)));
    })
    .await;
}

/// Checks that a system call is refused whatever it is asked, and by the filter: without a sandbox
/// it fails for what it is asked.
pub(super) async fn assert_bare_refusal(number: i64) {
    watched(async {
        let (_worker, client) = confined(nothing()).await;
        assert_eq!(
            refusal(client.bare_call(number).await),
            libc::EPERM,
            "{number}"
        );
    })
    .await;
}
