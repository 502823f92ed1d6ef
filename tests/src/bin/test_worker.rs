//! Serves the modules of the integration tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    reedbed_worker::serve(&reedbed_tests::modules::all())
}
