//! The conformance suite once more, with named segments: in this process, in its workers, and so on
//! every way between them.

#[path = "conformance/main.rs"]
mod conformance;

use std::process::ExitCode;

use conformance::{TestResult, import, start};

fn main() -> ExitCode {
    // As in a program of anyone's, first of all. Its workers are told by it.
    reedbed::set_segments(reedbed::Segments::Named);
    conformance::main()
}
