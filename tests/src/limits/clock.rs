//! A clock that jumps.

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use reedbed::{CallFailure, Dispatcher, FailureCause, Worker};

use super::tell;
use crate::modules::{control, values};

/// Where the wall clock jumps by years whenever it is read, deadlines come in time.
pub(super) async fn jumping(program: &str) -> Result<(), Box<dyn Error>> {
    let jumps = (0..4).map(|_| SystemTime::now()).collect::<Vec<_>>();
    let year = Duration::from_secs(300 * 86_400);
    let has_jumped = |pair: &[SystemTime]| match pair[1].duration_since(pair[0]) {
        Ok(ahead) => ahead > year,
        Err(behind) => behind.duration() > year,
    };
    assert!(
        jumps.windows(2).all(has_jumped),
        "the clock doesn't jump: {jumps:?}"
    );

    for dispatcher in [Dispatcher::Reedbed, Dispatcher::Tarpc] {
        let builder = Worker::builder(program).dispatcher(dispatcher);
        let worker = builder
            .startup_timeout(Duration::from_secs(60))
            .spawn()
            .await?;
        let control = worker.import::<control::Client>().await?;
        let values = worker.import::<values::Client>().await?;
        let began = Instant::now();
        let limit = Duration::from_millis(100);
        // Gates that aren't there let everyone pass.
        let gates = ("/nowhere/first".into(), "/nowhere/second".into());
        let late = control.run_until_cancelled(gates).deadline(limit).await;
        assert!(began.elapsed() >= limit, "not before");
        // Told of the deadline, the function may return before its host gives up.
        if let Err(error) = late {
            let cause = error.failure().map(CallFailure::cause);
            assert!(
                matches!(cause, Some(FailureCause::DeadlineExceeded { .. })),
                "{error}"
            );
        }
        for n in 0..100 {
            let text = format!("in time {n}");
            let limit = Duration::from_secs(60);
            assert_eq!(values.echo(text.clone()).deadline(limit).await?, text);
        }
        let began = Instant::now();
        worker.shutdown(Duration::from_secs(60)).await;
        assert!(
            began.elapsed() < Duration::from_secs(50),
            "the late call holds nobody up"
        );
        tell(&format!("{dispatcher:?}: in time"));
    }
    Ok(())
}
