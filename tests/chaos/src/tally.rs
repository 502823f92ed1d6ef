//! What is counted during a run.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reedbed::failpoint::Point;

use crate::Finding;
use crate::calls::ending_of;
use crate::latencies::Latencies;
use crate::slot::Kind;

/// Findings that are kept; after so many, more say nothing new.
const MOST_FINDINGS: usize = 20;
/// Deaths that are remembered for callers that are told late.
const MOST_DEATHS: usize = 512;

/// A worker's death.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// Which process died.
    pub process: u32,
    /// When it was killed.
    pub at: u64,
    /// Where it was in the life of a call, as far as anybody knows.
    pub phase: Option<Point>,
    /// Whether it was killed just there, and not at any moment.
    pub is_aimed: bool,
    /// Whether a call was in flight for certain.
    pub is_in_call: bool,
}

/// What a caller was told of a worker's death.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Which process died.
    pub process: u32,
    /// When the caller began its call.
    pub begun_at: u64,
    /// When it was told.
    pub told_at: u64,
}

/// Counts, shared by all.
#[derive(Debug, Default)]
pub struct Tally {
    state: Mutex<State>,
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// By shape, by the name of the worker's kind, and by ending.
    calls: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    n_calls: u64,
    kills: BTreeMap<Option<Point>, [u64; 2]>,
    n_forgotten: u64,
    n_kills: u64,
    n_kills_in_call: u64,
    n_other: BTreeMap<&'static str, u64>,
    deaths: HashMap<u32, (u64, bool)>,
    order: VecDeque<u32>,
    /// Who was told before the killer had said when it was.
    early: Vec<Told>,
    latencies: Latencies,
    findings: Vec<String>,
}

impl Tally {
    /// Counts a call of a shape and of a kind of worker, and how it ended.
    pub fn call(&self, shape: &'static str, kind: Kind, ending: &'static str) {
        let mut state = self.lock();
        *state.calls.entry((shape, kind.name, ending)).or_default() += 1;
        state.n_calls += 1;
    }

    /// The shapes of calls that there were.
    pub fn shapes(&self) -> BTreeSet<&'static str> {
        self.lock().calls.keys().map(|(shape, ..)| *shape).collect()
    }

    /// Tells whether a call of this shape and of this kind of worker has ever ended as it does if nothing
    /// disturbs it.
    pub fn has_ended_well(&self, shape: &'static str, kind: Kind) -> bool {
        let key = (shape, kind.name, ending_of(shape));
        self.lock().calls.contains_key(&key)
    }

    /// Counts a call that was forgotten.
    pub fn forgotten(&self) {
        self.lock().n_forgotten += 1;
    }

    /// How many calls were forgotten.
    pub fn n_forgotten(&self) -> u64 {
        self.lock().n_forgotten
    }

    /// Counts something else that was done.
    pub fn other(&self, what: &'static str) {
        *self.lock().n_other.entry(what).or_default() += 1;
    }

    /// Counts a death.
    pub fn death(&self, death: Death) {
        let mut state = self.lock();
        state.n_kills += 1;
        state.kills.entry(death.phase).or_default()[usize::from(!death.is_aimed)] += 1;
        state.n_kills_in_call += u64::from(death.is_in_call);
        state
            .deaths
            .insert(death.process, (death.at, death.is_in_call));
        state.order.push_back(death.process);
        if state.order.len() > MOST_DEATHS
            && let Some(oldest) = state.order.pop_front()
        {
            state.deaths.remove(&oldest);
        }
        let early = std::mem::take(&mut state.early);
        early.into_iter().for_each(|told| state.told(told));
    }

    /// Counts how long it took until a caller was told.
    pub fn told(&self, told: Told) {
        self.lock().told(told);
    }

    /// Notes what should not have happened. It ends the run.
    pub fn found(&self, Finding(what): Finding) {
        let mut state = self.lock();
        if state.findings.len() < MOST_FINDINGS {
            eprintln!("found: {what}");
            state.findings.push(what);
        }
        drop(state);
        self.end();
    }

    /// How many findings there are.
    pub fn n_findings(&self) -> usize {
        self.lock().findings.len()
    }

    /// How many kills there were.
    pub fn n_kills(&self) -> u64 {
        self.lock().n_kills
    }

    /// How many calls there were.
    pub fn n_calls(&self) -> u64 {
        self.lock().n_calls
    }

    /// The share of kills that hit a worker with a call in flight.
    pub fn share_in_call(&self) -> f64 {
        let state = self.lock();
        state.n_kills_in_call as f64 / state.n_kills.max(1) as f64
    }

    /// How many kills were aimed at a point, and hit.
    pub fn n_aimed(&self, point: Point) -> u64 {
        self.lock()
            .kills
            .get(&Some(point))
            .map_or(0, |[aimed, _]| *aimed)
    }

    /// How long it took until callers were told: half of them, 99 of 100, the last.
    pub fn latencies(&self) -> (u64, [Duration; 3]) {
        let state = self.lock();
        let latencies = &state.latencies;
        let figures = [
            latencies.quantile(0.5),
            latencies.quantile(0.99),
            latencies.worst(),
        ];
        (latencies.n(), figures)
    }

    /// Has everybody stop.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Has everybody go on, after an end.
    pub fn begin_again(&self) {
        self.is_over.store(false, Ordering::SeqCst);
    }

    /// Tells whether everybody shall stop.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn told(&mut self, told: Told) {
        match self.deaths.get_mut(&told.process) {
            // Begun after the kill, it was sent to a process that was dying already.
            Some((at, _)) if told.begun_at >= *at => {}
            Some((at, is_in_call)) => {
                self.latencies.add(told.told_at.saturating_sub(*at));
                self.n_kills_in_call += u64::from(!std::mem::replace(is_in_call, true));
            }
            None => {
                // A worker that was shut down and not killed is never counted.
                if self.early.len() == MOST_DEATHS {
                    self.early.clear();
                }
                self.early.push(told);
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n_told, [p50, p99, worst]) = self.latencies();
        let state = self.lock();
        writeln!(
            f,
            "{} calls, {} forgotten",
            state.n_calls, state.n_forgotten
        )?;
        let calls = &state.calls;
        let of_shapes = calls.iter().map(|((shape, _, end), n)| (*shape, *end, *n));
        let of_kinds = calls.iter().map(|((_, kind, end), n)| (*kind, *end, *n));
        write_endings(f, of_shapes)?;
        writeln!(f, "the same, by kinds of workers")?;
        write_endings(f, of_kinds)?;
        for (what, n) in &state.n_other {
            writeln!(f, "{n} times {what}")?;
        }
        for finding in &state.findings {
            writeln!(f, "found: {finding}")?;
        }
        if state.n_kills == 0 {
            return Ok(());
        }
        let in_call = state.n_kills_in_call as f64 / state.n_kills.max(1) as f64;
        let percent = 100.0 * in_call;
        writeln!(
            f,
            "{} kills, {percent:.1}% with a call in flight",
            state.n_kills
        )?;
        writeln!(
            f,
            "  {:<12} {:>8} {:>18}",
            "phase", "aimed at", "at any moment"
        )?;
        for (phase, [aimed, random]) in &state.kills {
            let phase = phase.map_or("none yet", Point::name);
            writeln!(f, "  {phase:<12} {aimed:>8} {random:>18}")?;
        }
        write!(
            f,
            "from death to {n_told} callers' errors: p50 {p50:.1?}, p99 {p99:.1?}, worst {worst:.1?}"
        )
    }
}

/// Writes a line for each subject, of how many calls of it ended in which way.
fn write_endings<'a>(
    f: &mut fmt::Formatter<'_>,
    calls: impl Iterator<Item = (&'a str, &'a str, u64)>,
) -> fmt::Result {
    let mut subjects: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
    for (subject, ending, n) in calls {
        let endings = subjects.entry(subject).or_default();
        *endings.entry(ending).or_default() += n;
    }
    for (subject, endings) in subjects {
        let endings: Vec<_> = endings
            .iter()
            .map(|(end, n)| format!("{n} {end}"))
            .collect();
        writeln!(f, "  {subject}: {}", endings.join(", "))?;
    }
    Ok(())
}
