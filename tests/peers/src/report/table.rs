//! The results for people.

use std::fmt::Write;

use crate::Outcome;
use crate::report::{machine, plot};
use crate::run::Run;
use crate::stats::MIN_VALUES;
use crate::work::{Group, N_CALLS_A_BATCH, Sample};

/// The whole of `results.md`.
pub(super) fn results(run: &Run, goals: &str) -> Outcome<String> {
    let mut text = format!(
        "# Reedbed beside its peers\n\n\
         {}. {}{}.\n\n\
         Measured by `cargo bench-peers{}{}` in {} rounds: two processes each, new ones in each round, all\n\
         systems right after each other in rotated order. p50 and p99 are over all samples of all rounds. A\n\
         sample is the time of a call; with several in flight it is what a call takes of the time of all\n\
         ({N_CALLS_A_BATCH} calls, their time by their number), and the rows called *latency* have how long each call took.\n\
         [What each row is, and what is not fair](../../tests/peers/README.md).\n\n\
         ## Goals\n\n\
         The ratio of the medians within a round: its median over the rounds, the 95% interval of that\n\
         (order statistics by the binomial distribution), and the worst round. A goal is reached if the\n\
         interval's lower end is at or below it; where the median isn't, the verdict says so. Fewer than\n\
         {MIN_VALUES} rounds give none: their interval leaves no round out.\n\n{goals}\n",
        machine::machine()?,
        machine::date()?,
        run.commit
            .as_ref()
            .map_or(String::new(), |commit| format!(", commit {commit}")),
        if run.command.is_empty() { "" } else { " " },
        run.command,
        run.n_rounds,
    );
    if run.is_disturbed() {
        let _ = writeln!(text, "{}\n", disturbance(run));
    }
    for group in plot::groups(run) {
        let _ = writeln!(text, "![{}]({}.svg)\n", group.title(), group.file());
    }
    let _ = write!(text, "## All results\n\n{}", rows(run));
    text.push_str(&absent(run));
    Ok(text)
}

/// Says that the figures are not to be relied on.
pub(super) fn disturbance(run: &Run) -> String {
    format!(
        "**The machine was not quiet**: other programs used {:.0}% of its time during the run, so that these\n\
         figures are no results. Rows that spin suffer most.",
        run.of_others * 100.0
    )
}

/// Every work and system that was measured, in Markdown.
pub(super) fn rows(run: &Run) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        for work in run.works.iter().filter(|work| work.group == group) {
            let mut rows = String::new();
            for system in &run.systems {
                let cell = run.cell(work.name, system);
                if let Some(summary) = cell.and_then(|cell| cell.summary()) {
                    let (p50, p99) = (figures(summary.p50_us), figures(summary.p99_us));
                    let _ = writeln!(rows, "| {system} | {p50} | {p99} | {} |", summary.n);
                }
            }
            if rows.is_empty() {
                continue;
            }
            let heading = match work.sample {
                Sample::Call => "p50 µs | p99 µs | calls",
                Sample::Batch => "µs a call, p50 of batches | p99 of batches | batches",
            };
            let _ = writeln!(
                text,
                "| {} | {heading} |\n|---|---:|---:|---:|\n{rows}",
                work.name
            );
        }
    }
    text
}

/// What wasn't measured, and why: the works of each system and reason in a line.
fn absent(run: &Run) -> String {
    let mut text = String::from("## Not measured\n\n| system | why | works |\n|---|---|---|\n");
    for system in &run.systems {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for work in &run.works {
            let Some(reason) = run.reason(work.name, system) else {
                continue;
            };
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, works)) => works.push(work.name),
                None => reasons.push((reason, vec![work.name])),
            }
        }
        for (reason, works) in reasons {
            let _ = writeln!(text, "| {system} | {reason} | {} |", works.join(", "));
        }
    }
    text
}

/// Three figures are what such a measurement is good for.
pub(super) fn figures(microseconds: f64) -> String {
    match microseconds {
        us if us < 0.1 => format!("{us:.3}"),
        us if us < 10.0 => format!("{us:.2}"),
        us if us < 100.0 => format!("{us:.1}"),
        us => format!("{us:.0}"),
    }
}
