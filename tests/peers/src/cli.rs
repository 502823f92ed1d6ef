//! What can be asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::meter::Budget;
use crate::run::{Plan, Run};
use crate::turn;
use crate::work::{self, Placement, Work};
use crate::{Outcome, report, systems};

/// Measures reedbed beside its peers: two processes each, in one run.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench-peers",
    version,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    /// The null call, 64 MiB resident and 64 MiB of the heap summed: under four minutes
    #[arg(long)]
    quick: bool,
    /// The systems to measure, by their names in the results [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    systems: Vec<String>,
    /// The works to measure, by their names in the results [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    works: Vec<String>,
    /// How often each system takes its turn at each work [default: 15; 9 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Also torch.multiprocessing, which downloads torch the first time
    #[arg(long)]
    torch: bool,
    /// Only the works on one core, or only those on two
    #[arg(long, value_enum, value_name = "HOW")]
    cores: Option<Cores>,
    /// Measure nothing: list what would be measured, a system and a work a line
    #[arg(long)]
    list: bool,
    /// Where the files go, instead of `target` and, of a run of everything in nine rounds or more,
    /// `docs/benchmarks` in the repository (of any other, `target/benchmarks`)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Cores {
    One,
    Two,
}

/// What the other processes of a run are.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum Role {
    /// Makes the calls of a turn.
    #[command(hide = true)]
    Call {
        #[command(flatten)]
        what: What,
        #[arg(long)]
        warm_up_ms: u64,
        #[arg(long)]
        measure_ms: u64,
        #[arg(long)]
        min_calls: usize,
        #[arg(long)]
        max_calls: usize,
        #[arg(long)]
        samples: PathBuf,
    },
    /// Serves the calls of a turn.
    #[command(hide = true)]
    Server {
        #[command(flatten)]
        what: What,
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Keeps a core busy.
    #[command(hide = true)]
    Compete,
}

#[derive(Debug, Args)]
struct What {
    #[arg(long)]
    system: String,
    #[arg(long)]
    work: String,
}

impl Cli {
    pub(crate) fn run(self) -> Outcome {
        match self.role {
            Some(role) => role.play(),
            None if self.list => {
                for (work, system) in self.plan()?.pairs() {
                    println!("{system}\t{work}");
                }
                Ok(())
            }
            None => self.measure(),
        }
    }

    fn measure(self) -> Outcome {
        let plan = self.plan()?;
        let run = Run::measure(&plan)?;
        let repository = turn::repository();
        let (json, docs) = match &self.out {
            Some(out) => (out.clone(), out.clone()),
            None if plan.is_whole() => (
                repository.join("target"),
                repository.join("docs/benchmarks"),
            ),
            // What is published stays whole.
            None => (
                repository.join("target"),
                repository.join("target/benchmarks"),
            ),
        };
        report::write(&run, &json, &docs)
    }

    fn plan(&self) -> Outcome<Plan> {
        let mut works = Vec::new();
        for name in &self.works {
            works.push(work::named(name).ok_or_else(|| unknown("work", name, work_names()))?);
        }
        if works.is_empty() {
            let is_asked_for = |work: &&Work| !self.quick || work::QUICK.contains(&work.name);
            works.extend(work::ALL.iter().filter(is_asked_for));
        }
        if let Some(cores) = self.cores {
            works.retain(|work| (work.placement == Placement::OneCore) == (cores == Cores::One));
        }
        let mut chosen: Vec<_> = systems::ALL.to_vec();
        if self.torch {
            chosen.push(systems::TORCH);
        }
        if !self.systems.is_empty() {
            for name in &self.systems {
                if !chosen.iter().any(|(known, _)| known == name) {
                    let known = chosen.iter().map(|(known, _)| *known).collect();
                    return Err(unknown("system", name, known));
                }
            }
            chosen.retain(|(name, _)| self.systems.iter().any(|wanted| wanted == name));
        }
        Ok(Plan {
            works,
            systems: chosen,
            n_rounds: self
                .rounds
                .map_or(if self.quick { 9 } else { 15 }, usize::from),
            is_quick: self.quick,
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        })
    }
}

fn work_names() -> Vec<&'static str> {
    work::ALL.iter().map(|work| work.name).collect()
}

fn unknown(what: &str, name: &str, known: Vec<&str>) -> Box<dyn std::error::Error + Send + Sync> {
    format!(
        "there is no {what} `{name}`; there are: {}",
        known.join(", ")
    )
    .into()
}

impl What {
    fn find(&self) -> Outcome<(&'static dyn systems::System, Work)> {
        let system = systems::named(&self.system);
        let work = work::named(&self.work);
        system
            .zip(work)
            .ok_or_else(|| format!("{self:?}: there is no such thing").into())
    }
}

impl Role {
    fn play(self) -> Outcome {
        // Whatever happens to the process that started this one, it leaves nothing running.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        match self {
            Self::Call {
                what,
                warm_up_ms,
                measure_ms,
                min_calls,
                max_calls,
                samples,
            } => {
                turn::take_place(false)?;
                let (system, work) = what.find()?;
                let budget = Budget {
                    warm_up: Duration::from_millis(warm_up_ms),
                    measure: Duration::from_millis(measure_ms),
                    min_calls,
                    max_calls,
                };
                turn::call(&what.system, system, &work, budget, &samples)
            }
            Self::Server { what, arguments } => {
                turn::take_place(true)?;
                let (system, work) = what.find()?;
                system.serve(&work, &arguments)
            }
            Self::Compete => loop {
                std::hint::black_box(());
            },
        }
    }
}
