//! The worker in a sandbox, which needs none of its help.

use std::path::Path;
use std::process::Command;

use reedbed::{Sandbox, Tensor, Trust, ndarray};

use super::*;

#[tokio::test]
async fn a_sandboxed_worker_in_python_computes_and_reads_what_it_may() -> TestResult {
    let Some(python) = python::with_numpy(env!("CARGO_TARGET_TMPDIR"), "sandbox") else {
        return Ok(());
    };
    let environment = python.ancestors().nth(2).ok_or("a virtual environment")?;
    // Where the virtual environment has its interpreter and the standard library from.
    let question = "import sys; print(sys.base_prefix)";
    let answer = Command::new(&python).args(["-c", question]).output()?;
    let installation = String::from_utf8(answer.stdout)?;
    let folder = Path::new(SCRIPT).parent().ok_or("a folder")?;
    let sandbox = Sandbox::new()
        .launcher(env!("CARGO_BIN_EXE_stock-worker"))
        .read(environment)
        .read(installation.trim())
        .read(LIBRARY)
        .read(folder);
    for trust in [Trust::Trusted, Trust::Untrusted] {
        let builder = builder(&python).trust(trust).sandbox(sandbox.clone());
        let worker = builder.spawn().await?;
        let client: Client = worker.import().await?;
        let values = Tensor::from(ndarray::Array1::<i64>::ones(100_000));
        assert_eq!(client.masked_sum(&values, None).await?, 100_000);
        let id = worker.id().ok_or("a process")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
    Ok(())
}
