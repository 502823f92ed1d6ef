//! The results for programs.

use serde::Serialize;

use crate::Outcome;
use crate::run::Run;

/// A row of `peers.json`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    work: &'a str,
    system: &'a str,
    p50_us: f64,
    p99_us: f64,
    n: usize,
}

/// A row of `peers-rounds.json`: what ratios within a round are made of.
#[derive(Debug, Serialize)]
struct Rounds<'a> {
    work: &'a str,
    system: &'a str,
    median_us: &'a [Option<f64>],
}

fn pairs(run: &Run) -> impl Iterator<Item = (&'static str, &'static str)> {
    let systems = |work: &'static str| run.systems.iter().map(move |&system| (work, system));
    run.works.iter().flat_map(move |work| systems(work.name))
}

/// Percentiles over all calls of all rounds.
pub(super) fn rows(run: &Run) -> Outcome<String> {
    let row = |(work, system)| {
        let summary = run.cell(work, system)?.summary()?;
        Some(Row {
            work,
            system,
            p50_us: summary.p50_us,
            p99_us: summary.p99_us,
            n: summary.n,
        })
    };
    lines(pairs(run).filter_map(row))
}

/// The median of each round.
pub(super) fn rounds(run: &Run) -> Outcome<String> {
    let row = |(work, system)| Rounds {
        work,
        system,
        median_us: run.medians(work, system),
    };
    lines(pairs(run).map(row).filter(|row| !row.median_us.is_empty()))
}

/// A list with an object a line.
fn lines(rows: impl Iterator<Item = impl Serialize>) -> Outcome<String> {
    let rows: Vec<_> = rows
        .map(|row| serde_json::to_string(&row))
        .collect::<Result<_, _>>()?;
    Ok(format!("[\n{}\n]\n", rows.join(",\n")))
}
