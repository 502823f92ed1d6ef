//! Ends a worker and starts it again, over and over.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reedbed::failpoint::Point;
use reedbed::{CallError, EndReason, RestartError};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::attempt::is_expected;
use crate::calls::Run;
use crate::slot::Slot;
use crate::tally::Death;
use crate::{Finding, Found, diary, found};

/// How long a killer waits for calls to get to a point, before it kills anyway.
const PATIENCE: Duration = Duration::from_millis(300);

/// Points at which a worker kills itself.
const WORKERS: &[Point] = &[
    Point::Received,
    Point::Decoding,
    Point::Beginning,
    Point::Running,
    Point::Returned,
    Point::Replying,
    Point::Replied,
    Point::Releasing,
];

/// Points at which the host kills it.
const HOSTS: &[Point] = &[Point::Sending, Point::Sent, Point::Settling];

/// Ends one worker, over and over.
#[derive(Debug)]
pub struct Killer {
    rng: fastrand::Rng,
    /// Its place on the board.
    place: usize,
    /// The longest that a worker is left alone.
    pace: Duration,
}

impl Killer {
    /// Makes one that leaves a worker alone for `pace` at most.
    #[must_use]
    pub fn new(rng: fastrand::Rng, place: usize, pace: Duration) -> Self {
        Self { rng, place, pace }
    }

    /// Ends the worker of a slot, over and over, until there were `n_kills` of all workers, or the run
    /// is over.
    pub async fn kill(mut self, run: &Run, slot: &Slot, n_kills: u64) {
        while !run.tally.is_over() && run.tally.n_kills() < n_kills {
            let most = u64::try_from(self.pace.as_micros()).unwrap_or(u64::MAX);
            tokio::time::sleep(Duration::from_micros(self.rng.u64(0..=most))).await;
            if let Err(finding) = self.end(run, slot).await {
                run.tally.found(finding);
                break;
            }
        }
        run.board.clear(self.place);
    }

    /// Ends it in some way, or only has it pause.
    async fn end(&mut self, run: &Run, slot: &Slot) -> Found {
        let note = |what: &str| {
            run.board
                .note(self.place, format!("{what} worker {}", slot.index))
        };
        match self.rng.u8(0..100) {
            0..10 => {
                note("stops and continues");
                self.pause(run, slot).await
            }
            10..13 => {
                note("restarts");
                self.restart(run, slot).await
            }
            13..33 => {
                note("kills");
                slot.disturb();
                self.bury(run, slot, None).await
            }
            33..83 => {
                let point = WORKERS[self.rng.usize(0..WORKERS.len())];
                note(&format!("has it kill itself at `{point}`,"));
                self.arm(run, slot, point).await
            }
            _ => {
                let point = HOSTS[self.rng.usize(0..HOSTS.len())];
                note(&format!("kills at `{point}`"));
                slot.disturb();
                slot.aim(point, self.rng.u64(1..20));
                let _ = timeout(PATIENCE, slot.worker.ended()).await;
                self.bury(run, slot, Some(point)).await
            }
        }
    }

    /// Stops the worker for a while. Often it is killed while it is stopped.
    async fn pause(&mut self, run: &Run, slot: &Slot) -> Found {
        run.tally.other("a worker was stopped");
        if slot.signal(Signal::STOP).is_err() {
            // It is gone, for no good reason.
            return self.bury(run, slot, None).await;
        }
        tokio::time::sleep(Duration::from_micros(self.rng.u64(0..15_000))).await;
        if self.rng.bool() {
            slot.disturb();
            return self.bury(run, slot, None).await;
        }
        if slot.signal(Signal::CONT).is_err() {
            return self.bury(run, slot, None).await;
        }
        Ok(())
    }

    /// Restarts the worker as a user would.
    async fn restart(&mut self, run: &Run, slot: &Slot) -> Found {
        run.tally.other("a worker was restarted");
        slot.disturb();
        let grace = Duration::from_millis(self.rng.u64(0..20));
        self.start_again(run, slot, grace).await
    }

    /// Has the worker kill itself.
    async fn arm(&mut self, run: &Run, slot: &Slot, point: Point) -> Found {
        slot.disturb();
        // To let go of a cancelled call is rarer than the rest; and a call that tells it so is one.
        let nth = if point == Point::Releasing {
            1
        } else {
            self.rng.u64(1..20)
        };
        match slot.control.arm(point.name().to_owned(), nth).await {
            Ok(()) => {}
            Err(CallError::Returned(reason)) => found!("worker {}: {reason}", slot.index),
            // The control's own call may be the one that gets there.
            Err(CallError::Failed(_)) => {}
        }
        let ended = async {
            if point != Point::Releasing {
                return slot.worker.ended().await;
            }
            loop {
                // One that nobody waits for.
                let call = slot.work.wait(Duration::from_secs(60));
                let _ = timeout(Duration::from_micros(200), call).await;
                if let Ok(end) = timeout(Duration::from_millis(5), slot.worker.ended()).await {
                    return end;
                }
            }
        };
        let _ = timeout(PATIENCE, ended).await;
        self.bury(run, slot, None).await
    }

    /// Kills the worker, if it isn't dead, counts that, and starts it again.
    async fn bury(&mut self, run: &Run, slot: &Slot, aimed_at: Option<Point>) -> Found {
        let process = slot.worker.id().unwrap_or_default();
        let n_in_flight = slot.worker.n_calls_in_flight();
        let now = diary::now();
        // Not there any more, it has been reaped: it was killed before.
        let is_signalled = slot.signal(Signal::KILL).is_ok();
        let end = slot.worker.ended().await;
        slot.is_down.store(true, Ordering::Relaxed);
        let hit_at = slot.take_aim();
        if *end.reason() != EndReason::Signalled(9) {
            found!("worker {} was killed, but {end}", slot.index);
        }
        if rustix::process::Pid::from_raw(process.cast_signed())
            .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
        {
            found!(
                "worker {} has ended, but process {process} is not reaped",
                slot.index
            );
        }
        let Ok(entry) = slot.diary.read() else {
            found!("the diary of worker {} can't be read", slot.index);
        };
        let death = match (hit_at, entry.killed_at) {
            (Some(at), _) => Death {
                process,
                at,
                phase: aimed_at,
                is_aimed: true,
                is_in_call: true,
            },
            (None, Some(at)) => Death {
                process,
                at,
                phase: entry.last,
                is_aimed: true,
                is_in_call: !matches!(entry.last, Some(Point::Replied | Point::Releasing) | None),
            },
            (None, None) if !is_signalled => found!("process {process} died of itself: {end}"),
            (None, None) => Death {
                process,
                at: now,
                phase: entry.last,
                is_aimed: false,
                is_in_call: n_in_flight > 0,
            },
        };
        run.tally.death(death);
        self.start_again(run, slot, Duration::ZERO).await
    }

    /// Starts the worker again, which takes several attempts where descriptors are scarce.
    async fn start_again(&mut self, run: &Run, slot: &Slot, grace: Duration) -> Found {
        loop {
            let weather = run.weather.now();
            // What is left in it is the dead one's.
            if !slot.worker.id().is_some_and(is_alive) && slot.diary.clear().is_err() {
                found!("the diary of worker {} can't be cleared", slot.index);
            }
            match slot.worker.restart(grace).await {
                Ok(end) if is_expected(&end) => break,
                Ok(end) => found!("worker {} was restarted, but {end}", slot.index),
                Err(error) if run.weather.now().is_calm_since(weather) => {
                    return Err(Finding(restart_failed(slot, &error)));
                }
                // Once descriptors are there again, it starts.
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        slot.calm();
        slot.is_down.store(false, Ordering::Relaxed);
        Ok(())
    }
}

fn is_alive(process: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(process.cast_signed());
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

fn restart_failed(slot: &Slot, error: &RestartError) -> String {
    let source = std::error::Error::source(error);
    let source = source
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    format!(
        "worker {} does not start again: {error}{source}",
        slot.index
    )
}
