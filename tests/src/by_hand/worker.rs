//! A worker: answers a host, well or badly.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::time::Instant;

use super::bytes::Bytes;
use super::end::{End, LIMIT, Received};
use super::frame::{self, Frame};
use super::memory::Memory;
use super::rings::{self, Rings};

/// What a worker says first. The defaults are those of a worker that means well.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of docs/wire.md")]
pub struct Welcome {
    pub magic: [u8; 8],
    pub version: u32,
    pub frame_bytes: u64,
    pub n_calls: u32,
    pub n_handles: u32,
    pub n_segments: u32,
    pub channel: u32,
    pub modules: Vec<(String, u64)>,
}

impl Default for Welcome {
    fn default() -> Self {
        Self {
            magic: *b"REEDBED\0",
            version: 1,
            frame_bytes: 1 << 26,
            n_calls: 16,
            n_handles: 16,
            n_segments: 64,
            channel: 0,
            modules: Vec::new(),
        }
    }
}

impl Welcome {
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
            .u32(self.channel)
            .list(&self.modules, |bytes, (name, hash)| {
                bytes.run(name).u64(*hash)
            })
            .done()
    }
}

/// A worker, whose standard input is the connection.
///
/// # Panics
/// All methods do if the host does something else than what is waited for.
#[derive(Debug)]
pub struct Worker {
    end: End,
    segments: HashMap<u64, Memory>,
}

#[expect(clippy::missing_panics_doc, reason = "documented on the type")]
impl Worker {
    /// Takes standard input and reads the host's first message.
    #[must_use]
    pub fn start() -> Self {
        let stdin = std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .expect("standard input");
        let worker = Self {
            end: End::new(stdin),
            segments: HashMap::new(),
        };
        let Received::Message(hello, _) = worker.end.receive() else {
            panic!("a hello is expected");
        };
        assert_eq!(hello[..8], *b"REEDBED\0");
        worker
    }

    /// The connection.
    #[must_use]
    pub fn end(&self) -> &End {
        &self.end
    }

    /// Welcomes the host, and speaks through rings from now on.
    pub fn welcome_over_rings(&mut self, welcome: Welcome) {
        let memory = Memory::new(rings::LEN_BYTES);
        let welcome = Welcome {
            channel: 1,
            ..welcome
        };
        self.end.send_with(&welcome.write(), &memory);
        self.end.use_rings(Rings::of_worker(memory));
    }

    /// Sends a message.
    pub fn send(&self, message: &[u8]) {
        self.end.send(message);
    }

    /// The memory of a segment that the host announced.
    #[must_use]
    pub fn segment(&self, segment: u64) -> &Memory {
        &self.segments[&segment]
    }

    /// The numbers of the segments that the host has announced and not forgotten.
    #[must_use]
    pub fn segments(&self) -> Vec<u64> {
        self.segments.keys().copied().collect()
    }

    /// Receives the next frame that doesn't announce or forget a segment, and isn't a ping, which it
    /// answers; `None` at the end.
    pub fn receive(&mut self) -> Option<Frame> {
        loop {
            let Received::Message(message, descriptor) = self.end.receive() else {
                return None;
            };
            match (Frame::read(&message), descriptor) {
                (
                    Frame::Segment {
                        segment, len_bytes, ..
                    },
                    Some(fd),
                ) => {
                    self.segments
                        .insert(segment, Memory::received(fd, len_bytes));
                }
                (Frame::Forget { segment }, None) => {
                    self.segments.remove(&segment);
                }
                (Frame::Ping { n }, None) => self.send(&frame::pong(n)),
                (frame, None) => return Some(frame),
                (frame, Some(_)) => panic!("{frame:?} brought a descriptor"),
            }
        }
    }

    /// Receives a call; returns its number.
    #[must_use]
    pub fn receive_call(&mut self) -> u64 {
        match self.receive() {
            Some(Frame::Call { call, .. }) => call,
            other => panic!("a call is expected, not {other:?}"),
        }
    }

    /// Receives a call that comes through the ring, before any message; returns its number.
    #[must_use]
    pub fn receive_call_of(&self, rings: &mut Rings) -> u64 {
        let since = Instant::now();
        while rings.peek().is_none() {
            assert!(since.elapsed() < LIMIT, "no call came within {LIMIT:?}");
            std::thread::yield_now();
        }
        match Frame::read(&rings.pop()) {
            Frame::Call { call, .. } => call,
            other => panic!("a call is expected, not {other:?}"),
        }
    }

    /// Runs until the host is gone, or has had enough.
    pub fn wait_for_the_end(&mut self) {
        while !matches!(self.receive(), None | Some(Frame::Shutdown)) {}
    }
}
