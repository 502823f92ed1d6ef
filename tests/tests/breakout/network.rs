//! Sockets.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use super::*;

#[tokio::test]
async fn no_network_is_reached() {
    watched(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert_sandbox_refuses(
            "connecting",
            |client| async move { client.connect(port).await },
        )
        .await;
    })
    .await;
    assert_refused("listening", |client| async move { client.listen().await }).await;
    assert_refused(
        "datagrams",
        |client| async move { client.datagrams().await },
    )
    .await;
    assert_refused("netlink", |client| async move { client.netlink().await }).await;
    assert_refused_to_root("raw", |client| async move { client.raw_socket().await }).await;
}

#[tokio::test]
async fn no_socket_of_this_machine_is_reached() {
    watched(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("listener");
        let _listener = UnixListener::bind(&path).expect("a listener");
        assert_sandbox_refuses("a path", |client| {
            let path = path.clone();
            async move { client.connect_unix(&path).await }
        })
        .await;
        let path = folder.path().join("datagrams");
        let _receiver = UnixDatagram::bind(&path).expect("a receiver");
        assert_sandbox_refuses("a pair's datagram", |client| {
            let path = path.clone();
            async move { client.send_from_a_pair(&path).await }
        })
        .await;
        let name = format!("reedbed test {}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let _listener = UnixListener::bind_addr(&address).expect("a listener");
        assert_sandbox_refuses("a name", |client| {
            let name = name.clone();
            async move { client.connect_abstract(name).await }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn no_socket_is_made_where_others_find_it() {
    let folder = tempfile::tempdir().expect("a folder");
    watched(async {
        // Not even where files may be made.
        let (_worker, client) = confined(nothing().write(folder.path())).await;
        let attempt = client.listen_unix(&folder.path().join("listener")).await;
        assert!(is_refusal(refusal(attempt)));
        // A pair of streams leads nowhere, and libraries want one.
        client.stream_pair().await.expect("harmless");
    })
    .await;
}
