//! The worker that `--mosaic` compares with: it serves [`segmentation::copying`] on its standard
//! input, a socket.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use bytes::Bytes;
use futures::StreamExt;
use segmentation::copying::{self, Copying};
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel};

#[derive(Clone)]
struct Server;

impl Copying for Server {
    async fn sum(self, _: Context, pixels: Bytes) -> u64 {
        copying::sum(&pixels)
    }
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the host closes its end.
fn serve() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UnixStream::from_std(socket)?;
        let channel = BaseChannel::with_defaults(copying::transport(socket));
        channel
            .execute(Server.serve())
            .for_each(|answer| async {
                tokio::spawn(answer);
            })
            .await;
        Ok(())
    })
}
