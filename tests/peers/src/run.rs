//! A run: rounds in which every system takes a turn at every work.
//!
//! Within a round a work is done by all systems right after each other, so that what the machine
//! does besides is the same for them; the order is rotated from round to round.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Outcome;
use crate::meter::Budget;
use crate::report::load::Load;
use crate::report::machine;
use crate::stats::{self, MIN_VALUES};
use crate::systems::{self, System};
use crate::turn::Turn;
use crate::work::{self, Pace, Task, Work};

/// What a run is to measure.
pub(crate) struct Plan {
    pub(crate) works: Vec<Work>,
    pub(crate) systems: Vec<(&'static str, &'static dyn System)>,
    pub(crate) n_rounds: usize,
    /// Shorter turns.
    pub(crate) is_quick: bool,
    /// The arguments, for the report.
    pub(crate) command: String,
}

impl Plan {
    /// Whether it measures everything, often enough for verdicts.
    pub(crate) fn is_whole(&self) -> bool {
        let has_all_systems = systems::ALL.iter().all(|(name, _)| {
            let mut chosen = self.systems.iter();
            chosen.any(|(known, _)| known == name)
        });
        has_all_systems
            && work::ALL.iter().all(|work| self.works.contains(work))
            && self.n_rounds >= MIN_VALUES
            && !self.is_quick
    }

    /// Each work with each system that can do it.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let systems = move |work: &Work| {
            let (work, systems) = (*work, self.systems.iter());
            let able = systems.filter(move |(_, system)| system.lacks(&work).is_none());
            able.map(move |(name, _)| (work.name, *name))
        };
        self.works.iter().flat_map(systems)
    }
}

/// What was measured.
pub(crate) struct Run {
    pub(crate) command: String,
    /// The repository's when it began.
    pub(crate) commit: Option<String>,
    pub(crate) works: Vec<Work>,
    pub(crate) systems: Vec<&'static str>,
    pub(crate) n_rounds: usize,
    /// The share of the machine's time that other programs used.
    pub(crate) of_others: f64,
    cells: BTreeMap<(&'static str, &'static str), Cell>,
}

/// A system at a work.
#[derive(Default)]
pub(crate) struct Cell {
    /// Nanoseconds of every call of every round.
    samples: Vec<u32>,
    /// The median of each round, in microseconds; `None` where it failed.
    pub(crate) medians: Vec<Option<f64>>,
    /// Why it wasn't measured, or why it failed.
    reason: Option<String>,
}

/// A cell in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) n: usize,
}

impl Cell {
    pub(crate) fn summary(&self) -> Option<Summary> {
        let microseconds =
            |share| stats::percentile(&self.samples, share).map(|sample| f64::from(sample) / 1e3);
        Some(Summary {
            p50_us: microseconds(0.5)?,
            p99_us: microseconds(0.99)?,
            n: self.samples.len(),
        })
    }

    fn keep(&mut self, mut samples: Vec<u32>) {
        samples.sort_unstable();
        let median = stats::percentile(&samples, 0.5).map(|sample| f64::from(sample) / 1e3);
        self.medians.push(median);
        self.samples.append(&mut samples);
    }
}

impl Run {
    /// Takes all turns.
    ///
    /// A system that fails loses its turn, and the table says why.
    pub(crate) fn measure(plan: &Plan) -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("samples");
        let mut cells: BTreeMap<_, Cell> = BTreeMap::new();
        let commit = machine::commit();
        let before = Load::now()?;
        for round in 0..plan.n_rounds {
            for (n_work, &work) in plan.works.iter().enumerate() {
                eprintln!(
                    "round {} of {}, work {} of {}: {}",
                    round + 1,
                    plan.n_rounds,
                    n_work + 1,
                    plan.works.len(),
                    work.name
                );
                let n_systems = plan.systems.len();
                for position in 0..n_systems {
                    let (name, system) = plan.systems[(position + round) % n_systems];
                    let cell = cells.entry((work.name, name)).or_default();
                    if let Some(reason) = system.lacks(&work) {
                        cell.reason = Some(reason.to_owned());
                        continue;
                    }
                    let turn = Turn {
                        name,
                        system,
                        work,
                        budget: budget(&work, plan.is_quick),
                        samples: &file,
                    };
                    match turn.take() {
                        Ok(samples) => cell.keep(samples),
                        Err(error) => {
                            eprintln!("{name}, {}: {error}", work.name);
                            cell.medians.push(None);
                            cell.reason = Some(format!("failed: {error}"));
                        }
                    }
                }
            }
        }
        for cell in cells.values_mut() {
            cell.samples.sort_unstable();
        }
        Ok(Self {
            command: plan.command.clone(),
            commit,
            works: plan.works.clone(),
            systems: plan.systems.iter().map(|(name, _)| *name).collect(),
            n_rounds: plan.n_rounds,
            of_others: Load::now()?.of_others_since(&before),
            cells,
        })
    }

    /// Whether other programs had too much to do for a verdict.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.of_others > 0.05
    }

    pub(crate) fn cell(&self, work: &str, system: &str) -> Option<&Cell> {
        self.cells
            .iter()
            .find_map(|(&(its_work, its_system), cell)| {
                (its_work == work && its_system == system).then_some(cell)
            })
    }

    /// Why it wasn't measured, or why it failed.
    pub(crate) fn reason(&self, work: &str, system: &str) -> Option<&str> {
        self.cell(work, system)?.reason.as_deref()
    }

    /// The median of each round, in microseconds, if there is one.
    pub(crate) fn medians(&self, work: &str, system: &str) -> &[Option<f64>] {
        self.cell(work, system).map_or(&[], |cell| &cell.medians)
    }
}

/// How long a turn is: a quarter of a second or so, and a few calls at least, however long they take.
fn budget(work: &Work, is_quick: bool) -> Budget {
    let short = Budget {
        warm_up: Duration::from_millis(if is_quick { 30 } else { 50 }),
        measure: Duration::from_millis(if is_quick { 120 } else { 200 }),
        min_calls: 10,
        max_calls: 20_000,
    };
    match (work.task, work.pace) {
        (Task::Spawn, _) => Budget {
            warm_up: Duration::ZERO,
            min_calls: 4,
            ..short
        },
        (_, Pace::Every(interval)) => Budget {
            measure: (interval * 15).max(short.measure),
            ..short
        },
        _ if work.task.n_bytes() > 1 << 24 => Budget {
            min_calls: if is_quick { 4 } else { 6 },
            ..short
        },
        _ => short,
    }
}
