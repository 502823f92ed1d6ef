//! What a worker inherits: variables, descriptors, privileges.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn the_environment_is_the_hosts_no_more() {
    watched(async {
        let builder = builder()
            .env("OWN", "yes")
            .env_remove("PATH")
            .sandbox(nothing());
        let (_worker, client) = started(builder).await;
        let variables = client.environment().await.expect("a list");
        let names: BTreeSet<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains("OWN"));
        let known = [
            "OWN",
            "LANG",
            "LC_ALL",
            "LC_CTYPE",
            "TZ",
            "RUST_BACKTRACE",
            "REEDBED_SANDBOX",
        ];
        // This process has many more: cargo has set them.
        assert!(std::env::vars_os().count() > known.len());
        assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    })
    .await;
}

#[tokio::test]
async fn a_cleared_environment_is_what_was_set() {
    watched(async {
        let builder = builder().env_clear().env("OWN", "yes").sandbox(nothing());
        let (_worker, client) = started(builder).await;
        let mut variables = client.environment().await.expect("a list");
        variables.sort();
        let expected = [("OWN", "yes"), ("REEDBED_SANDBOX", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables, expected);
    })
    .await;
}

#[tokio::test]
async fn no_descriptor_is_inherited() {
    // One that is passed on to every program that this process starts.
    let file = tempfile::tempfile().expect("a file");
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).expect("a flag");
    watched(async {
        let (worker, client) = free().await;
        let free = client.descriptors().await.expect("a list").len();
        drop((worker, client));
        let (_worker, client) = confined(nothing()).await;
        let confined = client.descriptors().await.expect("a list").len();
        assert!(confined < free, "{confined} descriptors where {free} were");
        assert_eq!(client.read_standard_input().await.expect("/dev/null"), 0);
    })
    .await;
}

#[tokio::test]
async fn there_are_no_privileges_to_have() {
    watched(async {
        let (worker, _client) = confined(nothing()).await;
        let id = worker.id().expect("a process");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.expect(name).trim().to_owned()
        };
        assert_eq!(field("NoNewPrivs:"), "1");
        assert_eq!(field("Seccomp:"), "2");
        assert_eq!(field("Seccomp_filters:"), "3");
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
    })
    .await;
}

#[tokio::test]
async fn its_own_memory_is_closed_to_others() {
    watched(async {
        let (worker, client) = free().await;
        assert!(client.is_dumpable().await.expect("an answer"));
        drop((worker, client));
        let (_worker, client) = confined(nothing()).await;
        assert!(!client.is_dumpable().await.expect("an answer"));
    })
    .await;
}
