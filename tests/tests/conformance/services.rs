//! Services: what constructors make stays in the worker, one instance beside the other.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use futures::future::join;
use reedbed::ndarray::{ArrayView1, array};
use reedbed::{CallError, FailureCause, Tensor, remote_module};
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::services::{KeepError, KeeperClient, TallyClient};
use reedbed_tests::setting::Setting;

use super::{TestResult, import, start};

/// What a host needs to know of a service that it doesn't compile: this much of the keeper's.
#[remote_module(name = "keeper")]
trait Labelled {
    fn new(label: String) -> Result<Self, KeepError>;
    fn label(&self) -> String;
    fn version() -> String;
}

pub(crate) async fn instances_stand_side_by_side(setting: Setting) -> TestResult {
    let (_worker, keeper) = import::<KeeperClient>(setting).await?;
    let first = keeper.new("first".to_owned()).await?;
    let second = keeper.new("second".to_owned()).await?;
    assert_eq!(first.label().await?, "first");
    assert_eq!(second.label_later().await?, "second");
    assert_eq!(first.clone().label_later().await?, "first");
    assert_eq!(keeper.version().await?, "keeps 1");
    Ok(())
}

pub(crate) async fn a_constructor_fails_with_its_own_error(setting: Setting) -> TestResult {
    let (_worker, keeper) = import::<KeeperClient>(setting).await?;
    let error = keeper.new(String::new()).await.unwrap_err();
    assert_eq!(error.into_returned().unwrap(), KeepError::NoLabel);
    Ok(())
}

pub(crate) async fn methods_of_one_instance_run_at_once(setting: Setting) -> TestResult {
    let (_worker, keeper) = import::<KeeperClient>(setting).await?;
    let keeper = keeper.new("meeting".to_owned()).await?;
    let (one, other) = join(keeper.meet(), keeper.meet()).await;
    assert_eq!((one?, other?), (2, 2));
    Ok(())
}

pub(crate) async fn the_last_handle_drops_the_instance(setting: Setting) -> TestResult {
    let (_worker, client) = import::<KeeperClient>(setting).await?;
    let gates = Gates::new();
    let gate = gates.make("dropped");
    let keeper = client.watched(gate.clone()).await?;
    let clone = keeper.clone();
    drop(keeper);
    assert_eq!(clone.label().await?, "watched");
    drop(clone);
    pass(&gate).await;
    Ok(())
}

pub(crate) async fn a_call_outlives_its_handle(setting: Setting) -> TestResult {
    let (_worker, client) = import::<KeeperClient>(setting).await?;
    let gates = Gates::new();
    let (began, go_on) = gates.pair();
    let dropped = gates.make("dropped");
    let keeper = client.watched(dropped.clone()).await?;
    let call = keeper.wait((began.clone(), go_on.clone()));
    drop(keeper);
    let (label, ()) = join(call, async {
        pass(&began).await;
        pass(&go_on).await;
    })
    .await;
    assert_eq!(label?, "watched");
    pass(&dropped).await;
    Ok(())
}

pub(crate) async fn an_abandoned_constructor_leaves_nothing(setting: Setting) -> TestResult {
    let (_worker, client) = import::<KeeperClient>(setting).await?;
    let gates = Gates::new();
    let (began, go_on) = gates.pair();
    let dropped = gates.make("dropped");
    let call = client.slow((began.clone(), go_on.clone()), dropped.clone());
    tokio::select! {
        _ = call => return Err("the constructor returned before it could".into()),
        () = pass(&began) => {}
    }
    // The call is gone, and the constructor is just about to return.
    pass(&go_on).await;
    pass(&dropped).await;
    assert_eq!(client.version().await?, "keeps 1");
    Ok(())
}

pub(crate) async fn a_late_constructor_leaves_nothing(setting: Setting) -> TestResult {
    let (_worker, client) = import::<KeeperClient>(setting).await?;
    let gates = Gates::new();
    let (began, go_on) = gates.pair();
    let dropped = gates.make("dropped");
    // Long enough for the constructor to begin on a busy machine: it is to be late, not unheard.
    let call = client
        .slow((began.clone(), go_on.clone()), dropped.clone())
        .deadline(Duration::from_secs(1));
    let (made, ()) = join(call, pass(&began)).await;
    let error = made.unwrap_err();
    let cause = error.failure().unwrap().cause();
    assert!(
        matches!(cause, FailureCause::DeadlineExceeded { .. }),
        "{cause}"
    );
    pass(&go_on).await;
    pass(&dropped).await;
    Ok(())
}

pub(crate) async fn an_unread_reply_leaves_nothing(setting: Setting) -> TestResult {
    let (worker, client) = import::<KeeperClient>(setting).await?;
    let gates = Gates::new();
    let dropped = gates.make("dropped");
    let mut call = Box::pin(client.watched(dropped.clone()));
    let context = &mut Context::from_waker(Waker::noop());
    // Polled once, it is sent; seldom, it is answered at once.
    let answered = call.as_mut().poll(context);
    // The reply arrives, and nobody looks at it.
    while worker.n_calls_in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    drop((call, answered));
    pass(&dropped).await;
    Ok(())
}

pub(crate) async fn a_panic_in_drop_harms_nobody(setting: Setting) -> TestResult {
    let (_worker, client) = import::<KeeperClient>(setting).await?;
    let gates = Gates::new();
    let (first, second) = gates.pair();
    drop(client.fragile(first.clone()).await?);
    pass(&first).await;
    drop(client.watched(second.clone()).await?);
    pass(&second).await;
    assert_eq!(client.version().await?, "keeps 1");
    Ok(())
}

pub(crate) async fn a_tensor_is_kept_between_calls(setting: Setting) -> TestResult {
    let (_worker, client) = import::<KeeperClient>(setting).await?;
    let keeper = client.new("keeper".to_owned()).await?;
    assert!(keeper.doubled().await?.is_none());
    assert!(keeper.keep(Tensor::from(array![1.0, 2.0])).await?.is_none());
    assert_eq!(keeper.sum(None).await?, 3.0);
    let more = Tensor::from(array![4.0]);
    assert_eq!(keeper.sum(Some((&more).into())).await?, 7.0);
    assert_eq!(
        keeper.doubled().await?.unwrap().view()?,
        array![2.0, 4.0].view()
    );
    // What was moved there comes back as it went.
    let back = keeper.keep(more).await?.unwrap();
    assert_eq!(back.view()?, array![1.0, 2.0].view());
    assert_eq!(keeper.sum(None).await?, 4.0);
    Ok(())
}

pub(crate) async fn a_kept_tensor_goes_on_to_another_worker(setting: Setting) -> TestResult {
    let (_one, client) = import::<KeeperClient>(setting).await?;
    let (_other, other_client) = import::<KeeperClient>(setting).await?;
    let keeper = client.new("keeper".to_owned()).await?;
    let other = other_client.new("other".to_owned()).await?;
    keeper.keep(Tensor::from(array![1.0, 2.0])).await?;
    let kept = keeper.keep(Tensor::from(array![0.0])).await?.unwrap();
    other.keep(kept).await?;
    assert_eq!(
        (keeper.sum(None).await?, other.sum(None).await?),
        (0.0, 3.0)
    );
    Ok(())
}

pub(crate) async fn many_instances_read_a_frozen_tensor(setting: Setting) -> TestResult {
    let (_one, client) = import::<KeeperClient>(setting).await?;
    let (_other, other_client) = import::<KeeperClient>(setting).await?;
    let gates = Gates::new();
    let keepers = [
        client.new("a".to_owned()).await?,
        client.new("b".to_owned()).await?,
        other_client.new("c".to_owned()).await?,
    ];
    let frozen = Tensor::from(array![1.0, 2.0, 3.0])
        .freeze()
        .map_err(|(error, _)| error)?;
    let pairs = ["a", "b", "c"].map(|name| {
        let (began, end) = (format!("{name} began"), format!("{name} ends"));
        (gates.make(&began), gates.make(&end))
    });
    let calls = keepers.iter().zip(&pairs);
    let calls = calls.map(|(keeper, pair)| keeper.sum_later(pair.clone(), &frozen));
    let read = async {
        for (began, _) in &pairs {
            pass(began).await;
        }
        // All three hold it now, in two workers, and so does the host.
        let sum = frozen.view().map(|values| values.sum());
        for (_, end) in &pairs {
            pass(end).await;
        }
        sum
    };
    let (sums, own) = join(futures::future::try_join_all(calls), read).await;
    assert_eq!((sums?, own?), (vec![6.0; 3], 6.0));
    Ok(())
}

pub(crate) async fn an_instance_ends_with_its_worker(setting: Setting) -> TestResult {
    let (worker, client) = import::<KeeperClient>(setting).await?;
    let gates = Gates::new();
    let dropped = gates.make("dropped");
    let keeper = client.watched(dropped.clone()).await?;
    let (_, ()) = join(worker.shutdown(Duration::from_secs(20)), pass(&dropped)).await;
    let error = keeper.label().await.unwrap_err();
    let cause = error.failure().unwrap().cause();
    assert!(matches!(cause, FailureCause::WorkerGone { .. }), "{cause}");
    Ok(())
}

pub(crate) async fn an_interface_calls_what_it_names(setting: Setting) -> TestResult {
    let (_worker, labelled) = import::<LabelledClient>(setting).await?;
    assert_eq!(labelled.version().await?, "keeps 1");
    let instance = labelled.new("from afar".to_owned()).await?;
    assert_eq!(instance.label().await?, "from afar");
    let error = labelled.new(String::new()).await.unwrap_err();
    assert!(matches!(error, CallError::Returned(KeepError::NoLabel)));
    Ok(())
}

pub(crate) async fn an_implemented_interface_is_served(setting: Setting) -> TestResult {
    let (_worker, tally) = import::<TallyClient>(setting).await?;
    assert_eq!(tally.name().await?, "counter");
    let count = tally.from(40).await?;
    let numbers = Tensor::from(array![1u64, 1]);
    assert_eq!(count.add_later(&numbers).await?, 42);
    assert_eq!(count.add(1).await?, 43);
    let error = count.add(u64::MAX).await.unwrap_err();
    assert_eq!(
        error.into_returned().unwrap(),
        "43 is as far as it goes".to_owned()
    );
    Ok(())
}

pub(crate) async fn a_service_can_block(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let label = tokio::task::spawn_blocking(move || {
        let worker = reedbed::blocking::Worker::from_async(worker);
        let client = worker.import::<reedbed_tests::services::BlockingKeeperClient>()?;
        let keeper = client.new("blocking".to_owned())?;
        assert_eq!(keeper.sum(Some(ArrayView1::from(&[1.0, 2.0]).into()))?, 3.0);
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(keeper.label()?)
    });
    assert_eq!(label.await?.map_err(|error| error.to_string())?, "blocking");
    Ok(())
}
