//! Arrays inside the arguments of calls without a stub that could not be sent: each comes back by name.

use ndarray::{Ix1, Ix2};
use reedbed::dynamic::{AnyTensor, Arguments, Value};
use reedbed::{CallFailure, FailureCause, Tensor, Trust, Worker, args};
use reedbed_tests::setting::Setting;

use super::dynamic_containers::{Result, elements, tiles};
use crate::{TestResult, start};

/// The failure of a call that can not be sent.
pub(super) async fn failure(
    worker: &Worker,
    (module, function): (&str, &str),
    arguments: Arguments<'_>,
) -> Box<CallFailure> {
    let error = worker.call(module, function, arguments).await;
    let failure = error.expect_err("the call isn't sent").into_returned();
    let failure = failure.expect_err("the function hasn't begun");
    assert!(failure.is_retryable(), "{failure}");
    failure
}

/// The sum of a tensor that a failed call hands back.
fn reclaimed(failure: &mut CallFailure, name: &str) -> Result<f64> {
    let tensor: Option<AnyTensor> = failure.reclaim(name);
    let tensor = tensor.ok_or_else(|| format!("`{name}` comes back from {failure}"))?;
    elements(&tensor).map(|elements| elements.sum())
}

pub(crate) async fn parts_come_back_by_name(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let one = |n| Tensor::<u32, Ix2>::from_elem((1, 1), n);
    // The second one is poisoned; the others come back all the same.
    let mut poisoned = one(1)?;
    let arguments = args![&mut poisoned, 7];
    // By one that is trusted, whatever the other is.
    let trusted = Setting {
        trust: Trust::Trusted,
        ..setting
    };
    let other = start(trusted).await?;
    let call = other.call("arrays", "panic_after_writing", arguments);
    assert!(call.await.is_err());
    let stack = args![vec![one(5)?, poisoned, one(6)?]];
    let mut failed = failure(&worker, ("stacks", "keep"), stack).await;
    assert!(
        matches!(failed.cause(), FailureCause::Access { argument, .. } if argument == "stack[1]"),
        "{failed}"
    );
    assert_eq!(reclaimed(&mut failed, "stack[2]")?, 6.0);
    assert_eq!(reclaimed(&mut failed, "stack[0]")?, 5.0);
    assert!(failed.reclaim::<AnyTensor>("stack[1]").is_some());

    // One in the middle doesn't fit.
    let stack: Vec<Value<'_>> = vec![one(5)?.into(), 7.into(), one(6)?.into()];
    let mut failed = failure(&worker, ("stacks", "keep"), args![stack]).await;
    let message = failed.to_string();
    assert!(
        message.ends_with(
            "`stack[1]` doesn't fit: an array of u32 with 2 dimensions, given away (by value), is \
             expected, not the integer 7"
        ),
        "{message}"
    );
    assert_eq!(reclaimed(&mut failed, "stack[2]")?, 6.0);
    assert_eq!(reclaimed(&mut failed, "stack[0]")?, 5.0);

    // In maps; and an argument behind it doesn't fit.
    let mut failed = failure(&worker, ("stacks", "pick"), args![tiles()?, 7]).await;
    assert_eq!(reclaimed(&mut failed, "tiles[\"left\"][0]")?, 3.0);
    assert_eq!(reclaimed(&mut failed, "tiles[\"right\"][1]")?, 6.0);

    // In a bundle with one field too few: `rest` of the inner one.
    let piece = |n| Tensor::<f64, Ix1>::from_elem(1, n);
    let inner = Value::structure([("piece", piece(2.0)?.into())]);
    let tree = Value::structure([("piece", piece(1.0)?.into()), ("rest", vec![inner].into())]);
    let mut failed = failure(&worker, ("bundled", "total"), args![tree]).await;
    assert!(
        failed.to_string().contains("`tree.piece` doesn't fit"),
        "{failed}"
    );
    assert_eq!(reclaimed(&mut failed, "tree.piece")?, 1.0);
    assert_eq!(reclaimed(&mut failed, "tree.rest[0].piece")?, 2.0);

    // In a variant that there isn't.
    let job = Value::variant("Two", [("0", piece(3.0)?.into())]);
    let mut failed = failure(&worker, ("bundled", "work"), args![job]).await;
    assert!(
        failed.to_string().contains("has no variant `Two`"),
        "{failed}"
    );
    assert_eq!(reclaimed(&mut failed, "job.Two.0")?, 3.0);

    // More arrays than a call takes.
    let stack: Vec<_> = (0..1025).map(one).collect::<std::result::Result<_, _>>()?;
    let mut failed = failure(&worker, ("stacks", "keep"), args![stack]).await;
    assert!(
        failed.to_string().contains("1025 arrays are more than"),
        "{failed}"
    );
    assert_eq!(reclaimed(&mut failed, "stack[1024]")?, 1024.0);
    Ok(())
}
