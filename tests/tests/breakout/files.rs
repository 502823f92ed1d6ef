//! Files.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A file with something in it, in a folder of its own.
fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    fs::write(&path, "secret").expect("a file");
    (folder, path)
}

#[tokio::test]
async fn a_forbidden_file_is_not_read() {
    let (folder, path) = file();
    assert_refused("reading", |client| {
        let path = path.clone();
        async move { client.read(&path).await }
    })
    .await;
    assert_refused("listing", |client| {
        let path = folder.path().to_owned();
        async move { client.list(&path).await }
    })
    .await;
    for known in ["/etc/passwd", "/proc/self/maps", "/proc/cpuinfo"] {
        assert_refused(
            known,
            |client| async move { client.read(known.as_ref()).await },
        )
        .await;
    }
}

#[tokio::test]
async fn a_forbidden_file_is_not_written() {
    let (folder, path) = file();
    assert_refused("writing", |client| {
        let path = path.clone();
        async move { client.write(&path, b"other!".to_vec()).await }
    })
    .await;
    fs::write(&path, "secret").expect("as before");
    watched(async {
        let (_worker, client) = confined(nothing()).await;
        let other = folder.path().join("other");
        for (what, attempt) in [
            ("cutting off", client.truncate(&path).await),
            ("making", client.create(&other).await),
            ("linking", client.link(&path, other.clone()).await),
            ("linking to", client.symlink(&path, other.clone()).await),
            ("making a device", client.make_device(&other).await),
            ("changing the mode", client.open_up(&path).await),
            ("changing the times", client.date_back(&path).await),
            ("removing", client.remove(&path).await),
        ] {
            assert!(is_refusal(refusal(attempt)), "{what}");
        }
        assert_eq!(fs::read(&path).expect("it is there"), b"secret");
        assert!(!other.exists());
    })
    .await;
}

#[tokio::test]
async fn what_the_system_shows_of_others_is_not_read() {
    // As root it could be read; the control is in `a_forbidden_file_is_not_read`.
    for path in [
        "/proc/1/environ",
        "/proc/self/environ",
        "/root",
        "/proc",
        "/dev",
    ] {
        watched(async {
            let (_worker, client) = confined(nothing()).await;
            let read = client.read(path.as_ref()).await;
            assert!(is_refusal(refusal(read)), "{path}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_allowed_for_reading_is_read_alone() {
    let (folder, path) = file();
    watched(async {
        let (_worker, client) = confined(nothing().read(folder.path())).await;
        assert_eq!(client.read(&path).await.expect("allowed"), b"secret");
        assert_eq!(client.list(folder.path()).await.expect("allowed"), 1);
        for attempt in [
            client.write(&path, b"other!".to_vec()).await,
            client.create(&folder.path().join("other")).await,
            client.truncate(&path).await,
            client.open_up(&path).await,
            client.remove(&path).await,
        ] {
            assert!(is_refusal(refusal(attempt)));
        }
        assert_eq!(client.read(&path).await.expect("allowed"), b"secret");
    })
    .await;
}

#[tokio::test]
async fn what_is_allowed_for_writing_is_written_and_no_more() {
    let (folder, path) = file();
    let (elsewhere, secret) = file();
    watched(async {
        let (_worker, client) = confined(nothing().write(folder.path())).await;
        client
            .write(&path, b"public".to_vec())
            .await
            .expect("allowed");
        assert_eq!(client.read(&path).await.expect("allowed"), b"public");
        let other = folder.path().join("other");
        client.create(&other).await.expect("allowed");
        client.remove(&other).await.expect("allowed");
        for (what, attempt) in [
            (
                "a link that leads out",
                client.symlink(&secret, other.clone()).await,
            ),
            (
                "a second name from without",
                client.link(&secret, other.clone()).await,
            ),
            (
                "a second name without",
                client.link(&path, elsewhere.path().join("in")).await,
            ),
            (
                "a second name within",
                client.link(&path, other.clone()).await,
            ),
            ("a device", client.make_device(&other).await),
            ("a mode", client.open_up(&path).await),
        ] {
            let errno = refusal(attempt);
            assert!(is_refusal(errno), "{what}: {errno}");
        }
        assert!(!other.exists());
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_that_runs_as_its_owner() {
    use std::os::unix::fs::PermissionsExt;

    let (folder, path) = file();
    let mode = || fs::metadata(&path).expect("a file").permissions().mode() & 0o7777;
    watched(async {
        let (_worker, client) = free().await;
        let set = client.set_mode(&path, 0o4755).await;
        set.expect("whose file it is may");
        assert_eq!(mode(), 0o4755);
        let (_worker, client) = confined(nothing().write(folder.path())).await;
        client.set_mode(&path, 0o700).await.expect("allowed");
        // The kernel looks at the lower half of a mode.
        for refused in [0o4700, 0o2700, 0o6755, 1 << 16 | 0o4700] {
            let attempt = client.set_mode(&path, refused).await;
            assert_eq!(refusal(attempt), libc::EPERM, "{refused:o}");
            assert_eq!(mode(), 0o700);
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_kernel_keeps_of_a_file_is_not_changed() {
    let (folder, path) = file();
    watched(async {
        let (_worker, client) = free().await;
        client.hint(&path).await.expect("whose file it is may");
        let (_worker, client) = confined(nothing().read(folder.path())).await;
        assert_eq!(refusal(client.hint(&path).await), libc::EPERM);
    })
    .await;
}

#[tokio::test]
async fn a_second_name_can_be_made_without_a_sandbox() {
    let (folder, path) = file();
    watched(async {
        let (_worker, client) = free().await;
        let linked = client.link(&path, folder.path().join("other")).await;
        linked.expect("it is its user's");
    })
    .await;
}

#[tokio::test]
async fn a_files_attributes_are_not_changed() {
    const SET_FLAGS: u64 = 0x4008_6602;
    let (folder, path) = file();
    let flags = || rustix::fs::ioctl_getflags(fs::File::open(&path).expect("a file"));
    let test = "a_files_attributes_are_not_changed";
    let missing = |error| needs::missing("file-attributes", test, format!("{path:?}: {error}"));
    let before = match flags() {
        Ok(flags) => flags,
        Err(error) => return missing(error),
    };
    // Not to be dumped: harmless, and its owner's to say.
    let after = before ^ rustix::fs::IFlags::NODUMP;
    watched(async {
        let (_worker, client) = free().await;
        match client.request(&path, SET_FLAGS, after.bits()).await {
            Err(CallError::Returned(error @ (libc::ENOTTY | libc::EOPNOTSUPP))) => {
                return missing(rustix::io::Errno::from_raw_os_error(error));
            }
            set => set.expect("whose file it is may set them"),
        }
        assert_eq!(flags(), Ok(after));
        for sandbox in [
            nothing().read(folder.path()),
            nothing().write(folder.path()),
        ] {
            let (_worker, client) = confined(sandbox).await;
            // The kernel looks at the lower half of a request.
            for request in [SET_FLAGS, SET_FLAGS | 1 << 32, SET_FLAGS | 1 << 63] {
                let attempt = client.request(&path, request, before.bits()).await;
                assert_eq!(refusal(attempt), libc::EPERM, "{request:#x}");
                assert_eq!(flags(), Ok(after), "{request:#x}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_path_that_is_allowed_is_one_of_the_hosts_folder() {
    let (folder, path) = file();
    watched(async {
        let own = std::env::current_dir().expect("a folder");
        let up = "../".repeat(own.components().count() - 1);
        let relative = PathBuf::from(format!("{up}{}", &folder.path().display().to_string()[1..]));
        let builder = builder().current_dir("/").sandbox(nothing().read(relative));
        let (_worker, client) = started(builder).await;
        assert_eq!(client.read(&path).await.expect("allowed"), b"secret");
    })
    .await;
}
