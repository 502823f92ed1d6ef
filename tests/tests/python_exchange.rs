//! Arrays to and from CPython's `multiprocessing.shared_memory`, as NumPy sees them.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is not as it should be"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;

use reedbed::{ForeignError, ForeignSegment, Tensor2};
use reedbed_tests::named::exists;
use reedbed_tests::python;

/// The Python side of the example, which is tested here.
const EXCHANGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/named_exchange/exchange.py"
);

fn python(test: &str) -> Option<PathBuf> {
    python::with_numpy(env!("CARGO_TARGET_TMPDIR"), test)
}

/// A Python program, told to go on line by line.
struct Program {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn running(python: &PathBuf, source: &str, arguments: &[&str]) -> Self {
        Self::start(Command::new(python).args(["-c", source]).args(arguments))
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a line").unwrap()
    }

    fn go_on(&mut self) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(b"\n").unwrap();
    }

    /// Waits for the end; returns what it wrote on standard error.
    fn end(self) -> String {
        let output = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{}\n{stderr}", output.status);
        stderr
    }
}

#[test]
fn arrays_go_to_numpy_and_come_back() {
    let Some(python) = python("arrays_go_to_numpy_and_come_back") else {
        return;
    };
    let image = Tensor2::from_shape_fn((30, 40), |(row, column)| (40 * row + column) as f64);
    let image = image.unwrap();
    // In NumPy's order, whatever the order here.
    let exported = ForeignSegment::export(image.tensor_view().reversed_axes()).unwrap();
    let arguments = [EXCHANGE, exported.name(), "40", "30"];
    let mut program = Program::start(Command::new(python).args(arguments));
    assert_eq!(program.line().parse(), Ok(image.view().unwrap().sum()));

    let made = ForeignSegment::open(&program.line()).unwrap();
    let doubled: Tensor2<f64> = made.to_tensor((40, 30)).unwrap();
    let expected = &image.view().unwrap().reversed_axes() * 2.0;
    assert_eq!(doubled.view().unwrap(), expected);
    let made = made.name().to_owned();
    assert!(exists(&made), "Python made it, so Python unlinks it");

    program.go_on();
    assert_eq!(program.end(), "", "the resource tracker has nothing to say");
    assert!(!exists(&made), "Python has unlinked what it made");
    assert!(exists(exported.name()), "and nothing else");
}

#[test]
fn a_name_that_python_has_unlinked_is_a_clear_error() {
    let Some(python) = python("a_name_that_python_has_unlinked_is_a_clear_error") else {
        return;
    };
    let source = "
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(create=True, size=64)
print(memory.name)
memory.close()
memory.unlink()
";
    let mut program = Program::running(&python, source, &[]);
    let name = program.line();
    program.end();
    let error = ForeignSegment::open(&name).unwrap_err();
    assert!(matches!(error, ForeignError::Vanished { .. }));
    let said = format!("there is no segment called `{name}` (any more)");
    assert!(error.to_string().starts_with(&said), "{error}");
}

#[test]
fn single_values_are_seen_by_both_at_once() {
    let Some(python) = python("single_values_are_seen_by_both_at_once") else {
        return;
    };
    let source = "
import sys
from multiprocessing.shared_memory import SharedMemory
import numpy
memory = SharedMemory(create=True, size=4096)
words = numpy.ndarray((512,), numpy.uint64, memory.buf)
words[1] = 40
print(memory.name, flush=True)
sys.stdin.readline()
print(words[1], words[2])
del words
memory.close()
memory.unlink()
";
    let mut program = Program::running(&python, source, &[]);
    let opened = ForeignSegment::open(&program.line()).unwrap();
    assert_eq!(opened.atomic::<u64>(8).unwrap().fetch_add(2, Relaxed), 40);
    opened.write_from(16, &7u64.to_le_bytes()).unwrap();
    // Dropped here, it stays Python's.
    drop(opened);
    program.go_on();
    assert_eq!(program.line(), "42 7");
    assert_eq!(program.end(), "");
}

#[test]
fn what_python_unlinks_against_the_rules_is_no_harm() {
    let Some(python) = python("what_python_unlinks_against_the_rules_is_no_harm") else {
        return;
    };
    let source = "
import sys
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(sys.argv[1])
memory.buf[0] = 9
memory.close()
memory.unlink()
";
    let exported = ForeignSegment::create(16).unwrap();
    let name = exported.name().to_owned();
    Program::running(&python, source, &[&name]).end();
    assert!(!exists(&name));
    let mut byte = [0];
    exported.read_into(0, &mut byte).unwrap();
    assert_eq!(byte, [9], "the memory lives as long as somebody has it");
    let error = ForeignSegment::open(&name).unwrap_err();
    assert!(matches!(error, ForeignError::Vanished { .. }));
}
