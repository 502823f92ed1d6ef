//! What a worker prints.
//!
//! Standard output and standard error belong to the worker's own code. Both are read line by line;
//! the last lines are kept for the error that tells of the worker's end.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Lines that are kept for the error that tells of the worker's end.
const KEPT_LINES: usize = 20;
/// A longer line is broken here.
const LONGEST_LINE_BYTES: usize = 16 * 1024;

/// Where a worker printed a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line that a worker printed.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// The worker's name.
    pub worker: &'a str,
    /// Where it was printed.
    pub stream: LogStream,
    /// The line, without its end. What isn't UTF-8 is replaced.
    pub text: &'a str,
}

/// Where lines go.
#[derive(Clone)]
pub(crate) struct LogSink(pub(crate) Arc<dyn Fn(LogLine<'_>) + Send + Sync>);

impl Default for LogSink {
    /// To the program's `tracing` subscriber, or to standard error where there is none.
    fn default() -> Self {
        Self(Arc::new(
            |LogLine {
                 worker,
                 stream,
                 text,
             }| {
                if tracing::dispatcher::has_been_set() {
                    tracing::info!(target: "reedbed::worker", worker, ?stream, "{text}");
                } else {
                    // Nothing can be done for a line that standard error doesn't take.
                    let _ = writeln!(io::stderr().lock(), "[{worker}] {text}");
                }
            },
        ))
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSink")
    }
}

/// The lines of both streams of one worker.
pub(crate) struct Log {
    worker: Arc<str>,
    sink: LogSink,
    last_lines: VecDeque<String>,
}

impl Log {
    pub(crate) fn new(worker: Arc<str>, sink: LogSink) -> Self {
        Self {
            worker,
            sink,
            last_lines: VecDeque::new(),
        }
    }

    /// The last lines, oldest first.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.last_lines.iter().cloned().collect()
    }

    fn line(&mut self, stream: LogStream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let line = LogLine {
            worker: &self.worker,
            stream,
            text: &text,
        };
        // A sink that panics loses this line, and nothing else.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.sink.0)(line)));
        if self.last_lines.len() == KEPT_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(text.into_owned());
    }
}

/// The reading end of one stream, which never blocks.
pub(crate) struct Stream<R> {
    pipe: R,
    stream: LogStream,
    partial: Vec<u8>,
}

impl<R: Read + AsFd> Stream<R> {
    pub(crate) fn new(pipe: R, stream: LogStream) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self {
            pipe,
            stream,
            partial: Vec::new(),
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Reads what is there; `false` at its end.
    pub(crate) fn read(&mut self, log: &mut Log) -> bool {
        let mut buffer = [0; 4096];
        // Bounded, so that a worker that prints without end doesn't keep the driver busy.
        for _ in 0..64 {
            match self.pipe.read(&mut buffer) {
                Ok(0) => {
                    self.finish(log);
                    return false;
                }
                Ok(len) => self.add(&buffer[..len], log),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Passes on a last line without an end.
    pub(crate) fn finish(&mut self, log: &mut Log) {
        if !self.partial.is_empty() {
            log.line(self.stream, &std::mem::take(&mut self.partial));
        }
    }

    fn add(&mut self, bytes: &[u8], log: &mut Log) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            let is_whole = piece.ends_with(b"\n");
            if is_whole || self.partial.len() >= LONGEST_LINE_BYTES {
                let line = std::mem::take(&mut self.partial);
                log.line(self.stream, line.strip_suffix(b"\n").unwrap_or(&line));
            }
        }
    }
}
