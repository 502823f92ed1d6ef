//! What travels as serde writes it.

use futures::future::join_all;
use reedbed::{BlockingStub, CallError};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::values::{DivideError, Point};
use reedbed_tests::modules::{control, values};
use reedbed_tests::setting::Setting;

use crate::{TestResult, import};

pub(crate) async fn values_come_back(setting: Setting) -> TestResult {
    let (_worker, values) = import::<values::Client>(setting).await?;
    assert_eq!(values.echo("héllo".to_owned()).await?, "héllo");
    assert_eq!(values.echo(String::new()).await?, "");
    assert_eq!(values.length("four").await?, 4);
    values.nothing().await?;
    Ok(())
}

pub(crate) async fn long_values_travel_in_a_segment(setting: Setting) -> TestResult {
    let (worker, values) = import::<values::Client>(setting).await?;
    let long: Vec<u8> = (0..251u8).cycle().take(1_000_000).collect();
    let before = worker.traffic();
    assert_eq!(values.echo_bytes(long.clone()).await?, long);
    let after = worker.traffic();
    assert!(
        after.sent_bytes - before.sent_bytes < 1024,
        "the frame itself is not a message"
    );
    assert!(after.received_bytes - before.received_bytes < 1024);
    Ok(())
}

pub(crate) async fn errors_of_functions_are_their_own(setting: Setting) -> TestResult {
    let (_worker, values) = import::<values::Client>(setting).await?;
    assert_eq!(values.divide(6, 3).await?, 2);
    match values.divide(6, 0).await {
        Err(CallError::Returned(error)) => assert_eq!(error, DivideError::ByZero { dividend: 6 }),
        other => panic!("the function's own error is expected, not {other:?}"),
    }
    Ok(())
}

pub(crate) async fn asynchronous_functions_run(setting: Setting) -> TestResult {
    let (_worker, values) = import::<values::Client>(setting).await?;
    let shifted = values
        .shift(Point { x: 1.0, y: 2.0 }, Point { x: 0.5, y: -2.0 })
        .await?;
    assert_eq!(shifted, Point { x: 1.5, y: 0.0 });
    Ok(())
}

pub(crate) async fn many_calls_are_in_flight_at_once(setting: Setting) -> TestResult {
    let (worker, control) = import::<control::Client>(setting).await?;
    let gates = Gates::new();
    let pairs: Vec<_> = (0..8)
        .map(|index| {
            (
                gates.make(&format!("begun {index}")),
                gates.make(&format!("go on {index}")),
            )
        })
        .collect();
    let calls = join_all(pairs.iter().map(|pair| control.pass(pair.clone())));
    let conductor = async {
        // All have begun before the first may go on, and they go on in the reverse order.
        for (begun, _) in &pairs {
            gate::pass(begun).await;
        }
        assert_eq!(worker.n_calls_in_flight(), 8);
        for (_, go_on) in pairs.iter().rev() {
            gate::pass(go_on).await;
        }
    };
    let (results, ()) = futures::join!(calls, conductor);
    assert!(
        results
            .into_iter()
            .all(|result| result.is_ok_and(|seven| seven == 7))
    );
    Ok(())
}

pub(crate) async fn a_stub_can_block(setting: Setting) -> TestResult {
    let (_worker, values) = import::<values::Client>(setting).await?;
    let blocking = values::BlockingClient::from_async(values);
    let quotient = tokio::task::spawn_blocking(move || blocking.divide(9, 2)).await?;
    assert_eq!(quotient?, 4);
    Ok(())
}

pub(crate) async fn the_module_describes_itself(setting: Setting) -> TestResult {
    let (worker, _) = import::<values::Client>(setting).await?;
    let schema = worker
        .describe("values")
        .await?
        .expect("the module is served");
    let divide = schema
        .functions
        .iter()
        .find(|function| function.name == "divide");
    assert_eq!(
        divide.expect("the function is served").signature(),
        "divide(dividend: i64, divisor: i64) -> result<i64, enum DivideError { ByZero { dividend: i64 } }>"
    );
    assert_eq!(worker.describe("nonsense").await?, None);
    Ok(())
}
