//! What becomes of a worker that doesn't answer: it is told to stop, then ended.

use std::fmt;
use std::time::{Duration, Instant};

use super::heartbeat::{Beat, Heartbeat, Pulse};
use crate::call::exchange::Exchange;

/// What a driver watches for, besides the worker's end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vigilance {
    pub(crate) heartbeat: Option<Heartbeat>,
    pub(crate) stuck_timeout: Option<Duration>,
}

impl Vigilance {
    /// After how long a call wants the driver to look.
    pub(crate) fn first_look(&self) -> Option<Duration> {
        self.heartbeat.map(|heartbeat| heartbeat.every)
    }
}

/// By what a worker was found to be stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StuckSign {
    /// It let so many questions of its [`Heartbeat`] in a row go unanswered.
    Silent {
        /// How many.
        n_missed: u32,
        /// How long each was waited for.
        every: Duration,
    },
    /// It had not let go of a call, so long after it was asked to.
    Overdue {
        /// The [stuck timeout](crate::WorkerBuilder::stuck_timeout).
        limit: Duration,
    },
}

/// By what a stuck worker was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StuckStep {
    /// SIGTERM, since cancelling its calls had not helped.
    Terminated,
    /// SIGKILL, since SIGTERM had not helped.
    Killed,
}

impl fmt::Display for StuckSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { n_missed, every } => write!(
                f,
                "it answered none of {n_missed} heartbeats in a row, one each {every:?}"
            ),
            Self::Overdue { limit } => write!(
                f,
                "it had not let go of a call {limit:?} after that was cancelled or its deadline passed"
            ),
        }
    }
}

impl fmt::Display for StuckStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminated => "SIGTERM",
            Self::Killed => "SIGKILL, having ignored SIGTERM",
        })
    }
}

/// Watches whether a worker answers.
#[derive(Debug)]
pub(super) struct Watch {
    vigilance: Vigilance,
    pulse: Option<Pulse>,
    stuck: Option<Stuck>,
    /// Whether it was said that the worker is to be ended.
    is_over: bool,
}

/// A worker that doesn't answer.
#[derive(Clone, Copy, Debug)]
struct Stuck {
    sign: StuckSign,
    /// Until when it may still recover.
    until: Instant,
}

/// What a driver is to do with a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To look again at this moment, at the latest.
    Wait(Option<Instant>),
    /// To end it.
    End,
}

impl Watch {
    pub(super) fn new(vigilance: Vigilance) -> Self {
        Self {
            pulse: vigilance.heartbeat.map(Pulse::new),
            vigilance,
            stuck: None,
            is_over: false,
        }
    }

    /// Why the worker was ended, if it was.
    pub(super) fn sign(&self) -> Option<StuckSign> {
        self.stuck.map(|stuck| stuck.sign)
    }

    /// Looks at the worker, of which everything was read that is there. Once it is to be ended, it can't
    /// recover any more.
    pub(super) fn look(&mut self, now: Instant, exchange: &Exchange) -> Verdict {
        if self.is_over {
            return Verdict::End;
        }
        let verdict = self.judge(now, exchange);
        self.is_over = verdict == Verdict::End;
        verdict
    }

    fn judge(&mut self, now: Instant, exchange: &Exchange) -> Verdict {
        let overdue = exchange.calls().first_overdue();
        if let (Some(at), Some(limit)) = (overdue, self.vigilance.stuck_timeout)
            && at <= now
        {
            // It was asked so long ago that there is nothing left to wait for.
            let sign = StuckSign::Overdue { limit };
            self.stuck = Some(Stuck { sign, until: now });
            return Verdict::End;
        }
        let Some(pulse) = &mut self.pulse else {
            return Verdict::Wait(overdue);
        };
        let (_, n_heard) = exchange.channel().traffic();
        let every = pulse.heartbeat().every;
        match pulse.beat(now, n_heard, exchange.is_awaited()) {
            Beat::Ask => exchange.ping(),
            Beat::Stuck(n_missed) if self.stuck.is_none() => {
                let sign = StuckSign::Silent { n_missed, every };
                exchange.cancel_all(sign);
                let grace = self.vigilance.stuck_timeout.unwrap_or(every);
                let until = now.checked_add(grace).unwrap_or(now);
                self.stuck = Some(Stuck { sign, until });
            }
            Beat::Stuck(_) => {}
            Beat::Fine if pulse.n_missed() == 0 => self.stuck = None,
            Beat::Fine => {}
        }
        match self.stuck {
            Some(stuck) if stuck.until <= now => Verdict::End,
            stuck => {
                let until = stuck.map(|stuck| stuck.until);
                let moments = [overdue, pulse.next(), until];
                Verdict::Wait(moments.into_iter().flatten().min())
            }
        }
    }
}
