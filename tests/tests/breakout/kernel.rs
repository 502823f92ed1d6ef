//! Parts of the kernel that computing doesn't need.

use super::processes::assert_bare_refusal;
use super::*;

#[tokio::test]
async fn no_namespace_is_made() {
    assert_refused_to_root("unsharing", |client| async move { client.unshare().await }).await;
    assert_refused_to_root("with a child", |client| async move {
        client.fork_into_a_namespace().await
    })
    .await;
}

#[tokio::test]
async fn what_acts_unseen_or_outlives_its_maker_is_refused() {
    assert_refused("io_uring", |client| async move { client.io_uring().await }).await;
    assert_refused_to_root(
        "userfaultfd",
        |client| async move { client.userfaultfd().await },
    )
    .await;
    assert_refused("shared memory", |client| async move {
        client.shared_memory().await
    })
    .await;
    assert_refused_to_all("keys", |client| async move { client.keys().await }).await;
}

#[tokio::test]
async fn what_computing_does_not_need_is_refused() {
    for number in [
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_setns,
        libc::SYS_chroot,
        libc::SYS_pivot_root,
        libc::SYS_open_by_handle_at,
        libc::SYS_add_key,
        libc::SYS_mq_open,
        libc::SYS_setuid,
        libc::SYS_personality,
        libc::SYS_init_module,
        libc::SYS_reboot,
        libc::SYS_vmsplice,
    ] {
        assert_bare_refusal(number).await;
    }
}

#[tokio::test]
async fn a_system_call_that_nobody_knows_is_not_implemented() {
    watched(async {
        let (_worker, client) = confined(nothing()).await;
        // The last one is x32's `read`, which the kernel would take for another processor's.
        for number in [5000, libc::SYS_clone3, 0x4000_0000] {
            assert_eq!(
                refusal(client.bare_call(number).await),
                libc::ENOSYS,
                "{number}"
            );
        }
    })
    .await;
}
