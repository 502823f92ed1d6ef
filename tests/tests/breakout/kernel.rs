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

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn a_call_as_of_another_processor_ends_the_worker() {
    watched(async {
        let (worker, client) = free().await;
        match client.call_as_of_32_bits().await {
            Ok(number) => assert_eq!(Some(number), worker.id()),
            Err(error) => {
                let test = "a_call_as_of_another_processor_ends_the_worker";
                return needs::missing("ia32", test, error);
            }
        }
        let (worker, client) = confined(nothing()).await;
        assert!(client.call_as_of_32_bits().await.is_err());
        let end = worker.ended().await;
        assert_eq!(end.reason(), &reedbed::EndReason::Signalled(libc::SIGSYS));
    })
    .await;
}

#[tokio::test]
async fn what_is_asked_of_a_descriptor_is_what_programs_need() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, "twelve bytes").expect("a file");
    watched(async {
        let (_worker, client) = confined(nothing().read(file.path())).await;
        for (name, request) in [
            ("TIOCSTI", 0x5412),
            ("TIOCLINUX", 0x541c),
            ("FIOASYNC", 0x5452),
            ("FIOSETOWN", 0x8901),
            ("SIOCSPGRP", 0x8902),
            ("FS_IOC_FSSETXATTR", 0x401c_5820),
            ("FS_IOC_ENABLE_VERITY", 0x4080_6685),
            ("FS_IOC_SET_ENCRYPTION_POLICY", 0x800c_6613),
            ("FIFREEZE", 0xc004_5877),
            ("FITRIM", 0xc018_5879),
            ("BTRFS_IOC_SNAP_CREATE_V2", 0x5000_9417),
            ("one that nobody knows", 0x1234_5678),
        ] {
            // The kernel looks at the lower half.
            for high in [0, 1 << 32, u64::from(u32::MAX) << 32] {
                let attempt = client.request(file.path(), high | request, 0).await;
                assert_eq!(refusal(attempt), libc::EPERM, "{name}, {high:#x}");
            }
        }
        for (name, request) in [
            ("FIONBIO", 0x5421),
            ("FIONREAD", 0x541b),
            ("FIONCLEX", 0x5450),
            ("FIOCLEX", 0x5451),
        ] {
            let answer = client.request(file.path(), request, 0).await;
            answer.expect(name);
        }
        for (name, request) in [
            ("TCGETS", 0x5401),
            ("TCGETS2", 0x802c_542a),
            ("TIOCGWINSZ", 0x5413),
        ] {
            let answer = client.request(file.path(), request, 0).await;
            assert_eq!(refusal(answer), libc::ENOTTY, "{name}: it is no terminal");
        }
    })
    .await;
}
