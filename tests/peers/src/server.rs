//! A peer's server: this program again, in another process.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use crate::Outcome;
use crate::work::Work;

/// The server of a system, started for one work. It is gone when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Our end of its standard input, which is a socket.
    socket: UnixStream,
}

impl Server {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(system: &str, work: &Work, arguments: &[String]) -> Outcome<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new("/proc/self/exe")
            .args(["server", "--system", system, "--work", work.name, "--"])
            .args(arguments)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()?;
        let mut server = Self {
            child,
            socket: ours,
        };
        let mut ready = [0];
        server.socket.read_exact(&mut ready).map_err(|error| {
            format!("the server ended before it was ready, {error}: see what it said")
        })?;
        Ok(server)
    }

    /// The socket, for the systems that talk over it.
    pub(crate) fn socket(&self) -> io::Result<tokio::net::UnixStream> {
        let socket = self.socket.try_clone()?;
        socket.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(socket)
    }

    /// Waits for a server that was told to stop.
    pub(crate) fn wait(mut self) -> Outcome {
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}").into())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already; either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the server: the end of the socket that is its standard input.
pub(crate) fn inherited_socket() -> io::Result<UnixStream> {
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// In the server: tells the client that it may call.
pub(crate) fn say_ready() -> io::Result<()> {
    inherited_socket()?.write_all(&[1])
}
