//! The trace that a call belongs to.

use reedbed::{TraceContext, args};
use reedbed_tests::modules::control;
use reedbed_tests::setting::Setting;

use crate::{TestResult, import};

fn trace() -> TraceContext {
    TraceContext::new(u128::MAX - 1, 0xfedc_ba98, true).expect("no number is 0")
}

pub(crate) async fn a_trace_reaches_the_function(setting: Setting) -> TestResult {
    let (worker, control) = import::<control::Client>(setting).await?;
    assert_eq!(control.trace().await?, None);
    let told = control.trace().trace(trace()).await?;
    assert_eq!(told, Some(trace().to_string()));
    assert_eq!(control.trace().await?, None, "it was the trace of one call");

    let call = worker.call("control", "trace", args![]).trace(trace());
    assert_eq!(call.await?.deserialize::<Option<String>>()?, told);
    Ok(())
}

pub(crate) async fn a_trace_goes_on_to_further_workers(setting: Setting) -> TestResult {
    let (_worker, control) = import::<control::Client>(setting).await?;
    assert_eq!(control.trace_of_its_own_call().await?, None);
    let told = control.trace_of_its_own_call().trace(trace()).await?;
    assert_eq!(told, Some(trace().to_string()));
    Ok(())
}
