//! Serves the modules of the integration tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    let how = std::env::args().nth(1);
    assert_ne!(
        how.as_deref(),
        Some("panic-at-start"),
        "there is no licence"
    );
    reedbed_worker::serve(&reedbed_tests::modules::all())
}
