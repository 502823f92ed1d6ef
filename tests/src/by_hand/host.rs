//! A host: starts a worker, talks to it, and sees how it ends.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use super::bytes::{Bytes, Reader};
use super::end::{self, End, Received};
use super::frame::{self, Failure, Frame};
use super::function;
use super::handle::Handle;
use super::memory::Memory;
use super::rings::{self, Rings};

/// What a host says first. The defaults are those of a host that means well.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of docs/wire.md")]
pub struct Hello {
    pub magic: [u8; 8],
    pub version: u32,
    pub frame_bytes: u64,
    pub n_calls: u32,
    pub n_handles: u32,
    pub n_segments: u32,
    pub trust: u32,
    pub dispatcher: u32,
    pub segments: u32,
    pub wait: u32,
    pub channels: Vec<u32>,
    pub worker: String,
}

impl Default for Hello {
    fn default() -> Self {
        Self {
            magic: *b"REEDBED\0",
            version: 1,
            frame_bytes: 1 << 26,
            n_calls: 16,
            n_handles: 16,
            n_segments: 64,
            trust: 0,
            dispatcher: 0,
            segments: 0,
            wait: 0,
            channels: vec![0],
            worker: "by hand".to_owned(),
        }
    }
}

impl Hello {
    /// The message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        Bytes::new()
            .raw(&self.magic)
            .u32(self.version)
            .u64(self.frame_bytes)
            .u32(self.n_calls)
            .u32(self.n_handles)
            .u32(self.n_segments)
            .u32(self.trust)
            .u32(self.dispatcher)
            .u32(self.segments)
            .u32(self.wait)
            .list(&self.channels, |bytes, channel| bytes.u32(*channel))
            .run(&self.worker)
            .done()
    }
}

/// A host with one worker.
///
/// # Panics
/// All methods do if the worker does something else than what is waited for.
#[derive(Debug)]
pub struct Host {
    end: End,
    child: Child,
    /// The modules of the worker's `Welcome`, with their hashes.
    pub modules: Vec<(String, u64)>,
    /// The segment of the rings, if the worker made one.
    rings: Option<Memory>,
}

/// How a worker ended.
#[derive(Debug)]
pub struct Ended {
    /// Its status, if it exited.
    pub code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    /// What it wrote on standard error.
    pub stderr: String,
}

#[expect(clippy::missing_panics_doc, reason = "documented on the type")]
impl Host {
    /// Starts a worker and says nothing yet.
    #[must_use]
    pub fn start(program: &str) -> Self {
        let (end, theirs) = end::pair();
        let child = Command::new(program)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the worker's program");
        // It is read when the worker has ended, who must not wait for that.
        let stderr = child.stderr.as_ref().expect("a pipe");
        rustix::pipe::fcntl_setpipe_size(stderr, 1 << 20).expect("a pipe may have so much");
        Self {
            end,
            child,
            modules: Vec::new(),
            rings: None,
        }
    }

    /// Starts a worker and exchanges first messages.
    #[must_use]
    pub fn greeted(program: &str) -> Self {
        Self::greeted_with(program, &Hello::default())
    }

    /// Starts a worker and exchanges first messages.
    #[must_use]
    pub fn greeted_with(program: &str, hello: &Hello) -> Self {
        let host = Self::start(program);
        host.send(&hello.write());
        host.welcomed()
    }

    /// Starts a worker and exchanges first messages, with a descriptor that tells of the host's end.
    #[must_use]
    pub fn greeted_beside(program: &str, hello: &Hello, descriptor: impl AsFd) -> Self {
        let host = Self::start(program);
        host.end.send_with(&hello.write(), descriptor);
        host.welcomed()
    }

    fn welcomed(self) -> Self {
        let mut host = self;
        let Received::Message(welcome, rings) = host.end.receive() else {
            panic!("a welcome is expected");
        };
        host.rings = rings.map(|fd| Memory::received(fd, rings::LEN_BYTES));
        let mut reader = Reader::new(&welcome);
        assert_eq!(reader.raw(), *b"REEDBED\0");
        assert_eq!(reader.u32(), 1);
        let _frame_bytes = reader.u64();
        let [_n_calls, _n_handles, _n_segments] = [reader.u32(), reader.u32(), reader.u32()];
        let channel = u32::from(host.rings.is_some());
        assert_eq!(reader.u32(), channel, "0: the socket; 1: rings");
        host.modules = reader.list(|reader| (reader.string(), reader.u64()));
        reader.end();
        host
    }

    /// Takes the rings that the worker has made.
    #[must_use]
    pub fn take_rings(&mut self) -> Rings {
        Rings::of_host(self.rings.take().expect("the segment of rings"))
    }

    /// Speaks through the rings that the worker has made, from now on.
    #[must_use]
    pub fn over_rings(mut self) -> Self {
        let rings = self.take_rings();
        self.end.use_rings(rings);
        self
    }

    /// The connection.
    #[must_use]
    pub fn end(&self) -> &End {
        &self.end
    }

    /// Sends a message.
    pub fn send(&self, message: &[u8]) {
        self.end.send(message);
    }

    /// Announces a segment for reading, with a descriptor that allows no more.
    pub fn announce(&self, segment: u64, memory: &Memory) {
        let frame = frame::segment(segment, memory.len_bytes(), false);
        self.end.send_with(&frame, memory.read_only());
    }

    /// Announces a segment for writing.
    pub fn announce_writable(&self, segment: u64, memory: &Memory) {
        self.end
            .send_with(&frame::segment(segment, memory.len_bytes(), true), memory);
    }

    /// Receives a frame without a descriptor.
    #[must_use]
    pub fn receive(&self) -> Frame {
        match self.end.receive() {
            Received::Message(message, None) => Frame::read(&message),
            other => panic!("a frame without a descriptor is expected, not {other:?}"),
        }
    }

    /// Receives a segment: its number, and the memory.
    #[must_use]
    pub fn receive_segment(&self) -> (u64, Memory) {
        let Received::Message(message, Some(fd)) = self.end.receive() else {
            panic!("a frame with a descriptor is expected");
        };
        match Frame::read(&message) {
            Frame::Segment {
                segment, len_bytes, ..
            } => (segment, Memory::received(fd, len_bytes)),
            other => panic!("a segment is expected, not {other:?}"),
        }
    }

    /// Calls `module.function`.
    pub fn call(&self, call: u64, path: &str, handles: &[Handle], body: &[u8]) {
        self.call_inline(call, path, handles, &[], body);
    }

    /// Calls `module.function` with elements in the frame.
    pub fn call_inline(
        &self,
        call: u64,
        path: &str,
        handles: &[Handle],
        inline: &[u8],
        body: &[u8],
    ) {
        let (module, name) = path.split_once('.').expect("a module and a function");
        let frame = frame::call_inline(call, function(module, name), handles, inline, body);
        self.send(&frame);
    }

    /// Receives the result of a call that brings no array.
    #[must_use]
    pub fn result(&self, call: u64) -> Vec<u8> {
        match self.receive() {
            Frame::Returned {
                call: answered,
                handles,
                inline,
                body,
            } if answered == call => {
                assert_eq!(handles, []);
                assert_eq!(inline, [0u8; 0]);
                body
            }
            other => panic!("a result of call {call} is expected, not {other:?}"),
        }
    }

    /// Receives the failure of a call.
    #[must_use]
    pub fn failure(&self, call: u64) -> Failure {
        match self.receive() {
            Frame::Failed {
                call: answered,
                failure,
            } if answered == call => failure,
            other => panic!("a failure of call {call} is expected, not {other:?}"),
        }
    }

    /// Checks that the worker answers a call, as if nothing had happened.
    pub fn assert_alive(&self) {
        let call = u64::MAX;
        let text = Bytes::new().run("still here").done();
        self.call(call, "values.echo", &[], &text);
        assert_eq!(self.result(call), text);
    }

    /// Has the worker exit, and checks that it does so in good order.
    pub fn shut_down(self) {
        self.send(&frame::shutdown());
        let ended = self.ended();
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{ended:?}"
        );
    }

    /// Waits until the worker has ended. The connection stays open until then.
    #[must_use]
    pub fn ended(mut self) -> Ended {
        let mut stderr = String::new();
        if end::wait_for(self.pidfd().as_fd()) {
            let mut pipe = self.child.stderr.take().expect("a pipe");
            pipe.read_to_string(&mut stderr).expect("UTF-8");
        } else {
            panic!("the worker goes on running");
        }
        let status = self.child.wait().expect("a child");
        Ended {
            code: status.code(),
            signal: status.signal(),
            stderr,
        }
    }

    /// Closes the connection, then waits until the worker has ended.
    #[must_use]
    pub fn closed(self) -> Ended {
        self.end.shut_down();
        self.ended()
    }

    /// Checks that the worker exits because the host broke the protocol, and says how.
    pub fn assert_violation(self, what: &str) {
        let ended = self.ended();
        assert_eq!((ended.code, ended.signal), (Some(70), None), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        let said = format!("the host broke the protocol: it {what}");
        assert!(
            ended.stderr.contains(&said),
            "{:?} is expected, not {:?}",
            said,
            ended.stderr
        );
    }

    fn pidfd(&self) -> OwnedFd {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("a child")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut stderr = String::new();
        if let (true, Some(pipe)) = (std::thread::panicking(), &mut self.child.stderr) {
            let _ = pipe.read_to_string(&mut stderr);
            eprintln!("the worker's standard error:\n{stderr}");
        }
    }
}
