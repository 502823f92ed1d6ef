//! Values that host and worker use at once.

use ndarray::Array1;
use reedbed::{SharedCell, Tensor};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::setting::Setting;
use reedbed_tests::shared::cells;

use crate::{TestResult, import, start};

pub(crate) async fn progress_is_seen_while_the_call_runs(setting: Setting) -> TestResult {
    let (worker, cells) = import::<cells::Client>(setting).await?;
    let progress = worker.cell(0)?;
    let gates = Gates::new();
    let pair = gates.pair();
    let watch = async {
        gate::pass(&pair.0).await;
        let during = progress.load();
        gate::pass(&pair.1).await;
        during
    };
    let (done, during) = futures::join!(cells.advance(&progress, pair.clone()), watch);
    done?;
    assert_eq!((during, progress.load()), (1, 2));
    Ok(())
}

pub(crate) async fn a_flag_of_the_host_stops_the_function(setting: Setting) -> TestResult {
    let (worker, cells) = import::<cells::Client>(setting).await?;
    let stop = worker.cell(false)?;
    let gates = Gates::new();
    let gate = gates.make("running");
    let tell = async {
        gate::pass(&gate).await;
        stop.store(true);
    };
    let (before, ()) = futures::join!(cells.run_until_stopped(&stop, gate.clone()), tell);
    assert!(!before?, "the function began before it was told");
    Ok(())
}

pub(crate) async fn two_workers_count_in_one_cell(setting: Setting) -> TestResult {
    const N: u64 = 50_000;
    let (one_worker, first) = import::<cells::Client>(setting).await?;
    let (_other, second) = import::<cells::Client>(setting).await?;
    let counter = one_worker.cell(0u64)?;
    let gates = Gates::new();
    let (one, other) = gates.pair();
    let calls = futures::future::join(
        first.count(&counter, N, one.clone()),
        second.count(&counter, N, other.clone()),
    );
    let count_too = async {
        gate::pass(&one).await;
        gate::pass(&other).await;
        for _ in 0..N {
            counter.fetch_add(1);
        }
    };
    let ((first, second), ()) = futures::join!(calls, count_too);
    first?;
    second?;
    assert_eq!(counter.load(), 3 * N);
    Ok(())
}

pub(crate) async fn a_run_of_cells_is_filled_by_many_calls(setting: Setting) -> TestResult {
    let (worker, cells) = import::<cells::Client>(setting).await?;
    let bins = worker.cells::<u64>(4)?;
    let values = Tensor::from(Array1::from_iter(
        (0..10_000u32).map(|value| (value % 5) as u8),
    ));
    let calls = (0..4).map(|_| cells.histogram(&bins, &values));
    for counted in futures::future::join_all(calls).await {
        counted?;
    }
    assert_eq!(bins.to_vec(), [8000; 4]);
    Ok(())
}

pub(crate) async fn a_cell_outlives_a_crashed_worker(setting: Setting) -> TestResult {
    let (crashing, cells) = import::<cells::Client>(setting).await?;
    let counter = crashing.cell(-3)?;
    if setting.capabilities().isolates_crashes {
        let crashed = cells.crash_after_adding(Some((&counter).into()), 10).await;
        assert!(crashed.is_err());
    } else {
        counter.fetch_add(10);
    }
    // What the dead worker wrote is there, nothing is poisoned, and the next worker goes on.
    assert_eq!(counter.fetch_sub(7), 7);
    let (worker, cells) = import::<cells::Client>(setting).await?;
    let sum = worker.cell(1.0)?;
    assert_eq!(cells.add(&sum, 0.25).await?, 1.0);
    assert_eq!((counter.load(), sum.load()), (0, 1.25));
    Ok(())
}

pub(crate) async fn a_kept_cell_stays_shared(setting: Setting) -> TestResult {
    // Only one test keeps a cell in the worker's static, which is this process's where the worker
    // is a thread of it; the settings take turns.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    let (worker, cells) = import::<cells::Client>(setting).await?;
    let counter = worker.cell(1u64)?;
    cells.keep(&counter).await?;
    counter.fetch_add(1);
    let returned = cells.add_to_kept(40).await?.expect("it was kept");
    assert_eq!((counter.load(), returned.load()), (42, 42));
    returned.store(5);
    assert_eq!(counter.load(), 5, "what comes back is the same cell");

    // Dropped here, the memory stays the cell's as long as the worker has it.
    drop((counter, returned));
    let n = if setting.capabilities().shares_memory {
        1000
    } else {
        20
    };
    let others: Vec<_> = (0..n)
        .map(|_| match setting.capabilities().shares_memory {
            true => SharedCell::new(u64::MAX),
            // Each has a segment of its own.
            false => worker.cell(u64::MAX),
        })
        .collect::<Result<_, _>>()?;
    let returned = cells.add_to_kept(1).await?.expect("it was kept");
    assert_eq!(returned.load(), 6);
    assert!(others.iter().all(|other| other.load() == u64::MAX));
    cells.let_go().await?;
    assert_eq!(returned.load(), 6);
    assert!(cells.add_to_kept(1).await?.is_none());
    Ok(())
}

pub(crate) async fn a_cell_of_one_worker_goes_on_to_another(setting: Setting) -> TestResult {
    let (maker, making) = import::<cells::Client>(setting).await?;
    let other = start(setting).await?;
    let adding: cells::Client = other.import().await?;
    let cell = making.make().await?.expect("memory for the test");
    if !setting.capabilities().shares_memory {
        // It lies among other things of its maker's.
        let error = adding.add(&cell, 1.0).await.unwrap_err();
        assert!(error.is_retryable(), "nothing was sent");
        assert_eq!(making.add(&cell, 1.0).await?, 0.5);
        return Ok(());
    }
    assert_eq!(adding.add(&cell, 1.0).await?, 0.5);
    assert_eq!(making.add(&cell, 1.0).await?, 1.5);
    assert_eq!(cell.load(), 2.5);
    drop((maker, making));
    assert_eq!(
        adding.add(&cell, 1.0).await?,
        2.5,
        "the maker's end changes nothing"
    );
    Ok(())
}

pub(crate) async fn a_cell_goes_there_and_back(setting: Setting) -> TestResult {
    let (worker, cells) = import::<cells::Client>(setting).await?;
    let cell = worker.cell(1)?;
    // The worker keeps nothing of it when it returns it.
    let returned = cells.pass_on(&cell).await?;
    cell.store(2);
    assert_eq!(returned.load(), 2);
    // And this side keeps nothing of it when the worker has made it.
    let made = cells.make().await?.expect("memory for the test");
    assert_eq!(cells.add(made, 1.0).await?, 0.5);
    Ok(())
}
