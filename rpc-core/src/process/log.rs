//! What a worker prints.
//!
//! Standard output and standard error belong to the worker's own code. Both are read line by line;
//! the last lines are kept for the error that tells of the worker's end.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::guarded::guarded;
use crate::readable::printable;

/// Lines that are kept for the error that tells of the worker's end.
const KEPT_LINES: usize = 20;
/// How many bytes of a worker's output are passed on each second, unless
/// [`log_rate`](crate::WorkerBuilder::log_rate) says otherwise.
pub(super) const BYTES_PER_SECOND: u64 = 1 << 20;
/// For so long a worker may have been silent to print so much more at once.
const BURST: Duration = Duration::from_secs(4);
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
    /// To the program's `tracing` subscriber, or to standard error where there is none: that may be a
    /// terminal, which the worker must not talk to.
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
                    let text = printable(text);
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
    last_panic: Option<String>,
    rate: Rate,
    left_out: LeftOut,
}

/// How many bytes may be passed on, now and from now on.
struct Rate {
    bytes_per_second: u64,
    left_bytes: u64,
    since: Instant,
}

/// What wasn't passed on, and hasn't been told of yet.
#[derive(Default)]
struct LeftOut {
    n_lines: u64,
    n_bytes: u64,
}

impl Rate {
    fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            left_bytes: bytes_per_second.saturating_mul(BURST.as_secs()),
            since: Instant::now(),
        }
    }

    /// Tells whether so many bytes may be passed on, and counts them.
    fn allows(&mut self, n_bytes: usize, now: Instant) -> bool {
        // In whole seconds, so that what is told of what was left out is told that often.
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            let most = self.bytes_per_second.saturating_mul(BURST.as_secs());
            let more = self.bytes_per_second.saturating_mul(seconds);
            self.left_bytes = self.left_bytes.saturating_add(more).min(most);
            self.since += Duration::from_secs(seconds);
        }
        let left = self.left_bytes.checked_sub(n_bytes as u64);
        self.left_bytes = left.unwrap_or(0);
        left.is_some()
    }
}

impl Log {
    pub(crate) fn new(worker: Arc<str>, sink: LogSink, bytes_per_second: u64) -> Self {
        Self {
            worker,
            sink,
            last_lines: VecDeque::new(),
            last_panic: None,
            rate: Rate::new(bytes_per_second),
            left_out: LeftOut::default(),
        }
    }

    /// The last lines, oldest first.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.last_lines.iter().cloned().collect()
    }

    /// Where the last panic was that a Rust program's own hook told of.
    pub(crate) fn last_panic(&self) -> Option<&str> {
        self.last_panic.as_deref()
    }

    fn line(&mut self, stream: LogStream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if self.rate.allows(text.len() + 1, Instant::now()) {
            self.tell_what_was_left_out(stream);
            self.pass_on(stream, &text);
        } else {
            self.left_out.n_lines += 1;
            self.left_out.n_bytes += text.len() as u64 + 1;
        }
        if stream == LogStream::Stderr
            && let Some(location) = panic_location(&text)
        {
            // Noted here, for a backtrace may be longer than what is kept.
            self.last_panic = Some(location.to_owned());
        }
        if self.last_lines.len() == KEPT_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(text.into_owned());
    }

    /// Says how much of the worker's output is missing since this was last said.
    pub(crate) fn tell_what_was_left_out(&mut self, stream: LogStream) {
        let LeftOut { n_lines, n_bytes } = std::mem::take(&mut self.left_out);
        if n_lines > 0 {
            let most = self.rate.bytes_per_second;
            let text = format!(
                "({n_lines} lines of {n_bytes} bytes were left out: it prints more than {most} bytes a second, see `WorkerBuilder::log_rate`)"
            );
            self.pass_on(stream, &text);
        }
    }

    fn pass_on(&self, stream: LogStream, text: &str) {
        let worker = &self.worker;
        let line = LogLine {
            worker,
            stream,
            text,
        };
        // A sink that panics loses this line, and nothing else.
        guarded(|| (self.sink.0)(line));
    }
}

/// Reads the place out of the line in which Rust's standard library tells of a panic:
/// `thread 'main' (17) panicked at src/main.rs:3:5:`, without the number before 1.91.
fn panic_location(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("thread '")?;
    let (_, location) = rest.split_once(" panicked at ")?;
    let location = location.strip_suffix(':')?;
    if location.starts_with("library/") || location.starts_with("/rustc/") {
        // The standard library's own, which follows another one: it can't be unwound.
        return None;
    }
    let mut parts = location.rsplit(':');
    let mut is_number = || parts.next().is_some_and(|part| part.parse::<u32>().is_ok());
    (is_number() && is_number()).then_some(location)
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
        log.tell_what_was_left_out(self.stream);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_panic_is_read_from_what_rust_prints() {
        for (line, location) in [
            (
                "thread 'main' panicked at src/main.rs:3:5:",
                "src/main.rs:3:5",
            ),
            ("thread 'a b' (12) panicked at x.rs:1:22:", "x.rs:1:22"),
            ("thread '<unnamed>' panicked at C: x.rs:3:5:", "C: x.rs:3:5"),
        ] {
            assert_eq!(panic_location(line), Some(location));
        }
        for line in [
            "my thread 'main' panicked at x.rs:1:2:",
            "thread 'main' panicked at 'the old form', x.rs:1:2",
            "thread 'main' panicked at somewhere:",
            "thread 'main' panicked at library/core/src/panicking.rs:226:5:",
        ] {
            assert_eq!(panic_location(line), None, "{line}");
        }
    }
}
