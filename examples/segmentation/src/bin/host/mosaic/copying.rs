//! The worker that gets its argument inside the request, by tarpc over a Unix socket.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ndarray::Ix2;
use reedbed::{NotContiguous, Tensor};
use segmentation::copying::{CopyingClient, DEADLINE, transport};
use tarpc::client::{Config, RpcError};
use tarpc::context;
use tokio::runtime::Runtime;

/// A worker process, stopped when this is dropped.
pub(super) struct CopyingWorker {
    child: Child,
    runtime: Runtime,
    client: CopyingClient,
}

impl CopyingWorker {
    /// Starts a worker. Its end of the socket is its standard input.
    pub(super) fn start(program: &Path) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let runtime = Runtime::new()?;
        let client = runtime.block_on(async {
            let socket = tokio::net::UnixStream::from_std(ours)?;
            io::Result::Ok(CopyingClient::new(Config::default(), transport(socket)).spawn())
        })?;
        let child = Command::new(program)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()?;
        Ok(Self {
            child,
            runtime,
            client,
        })
    }

    /// Returns the number of the worker's process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the pixels and returns their sum.
    pub(super) fn sum(&self, pixels: Bytes) -> Result<u64, RpcError> {
        let mut context = context::current();
        context.deadline = Instant::now() + DEADLINE;
        self.runtime.block_on(self.client.sum(context, pixels))
    }
}

impl Drop for CopyingWorker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tensor's pixels, checked to be one run of bytes.
pub(super) struct PixelBytes(Arc<Tensor<u16, Ix2>>);

impl PixelBytes {
    /// Refers to the bytes of a tensor, without a copy: the copies that count are the call's.
    pub(super) fn of(tensor: &Arc<Tensor<u16, Ix2>>) -> Result<Bytes, NotContiguous> {
        tensor.as_bytes()?;
        Ok(Bytes::from_owner(Self(Arc::clone(tensor))))
    }
}

impl AsRef<[u8]> for PixelBytes {
    fn as_ref(&self) -> &[u8] {
        match self.0.as_bytes() {
            Ok(bytes) => bytes,
            Err(error) => unreachable!("nobody can write it since it was checked: {error}"),
        }
    }
}
