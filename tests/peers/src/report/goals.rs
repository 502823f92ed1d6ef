//! The goals: ratios within a round, of which the lower end of the interval decides.

use std::fmt::Write;

use crate::run::Run;
use crate::stats::{Interval, MIN_VALUES, median, median_interval};

/// A time of one round that a goal compares with: a sum of medians.
struct Yardstick {
    /// Factor, work, system.
    terms: &'static [(f64, &'static str, &'static str)],
    /// Microseconds on top.
    plus_us: f64,
    label: &'static str,
}

/// What is to be reached.
struct Goal {
    work: &'static str,
    system: &'static str,
    yardstick: Yardstick,
    /// The ratio to it.
    ratio: f64,
}

const fn goal(
    work: &'static str,
    system: &'static str,
    ratio: f64,
    label: &'static str,
    terms: &'static [(f64, &'static str, &'static str)],
) -> Goal {
    let yardstick = Yardstick {
        terms,
        plus_us: 0.0,
        label,
    };
    Goal {
        work,
        system,
        yardstick,
        ratio,
    }
}

macro_rules! goals {
    ($($work:literal, $system:literal: $ratio:literal of $label:literal = [$($factor:literal * $of:literal, $by:literal);+];)+) => {
        &[$(goal($work, $system, $ratio, $label, &[$(($factor, $of, $by)),+])),+]
    };
}

const GOALS: &[Goal] = goals! {
    "null", "reedbed blocking": 0.6 of "iceoryx2 spin" = [1.0 * "null", "iceoryx2 spin"];
    "null", "reedbed async": 1.0 of "iceoryx2 spin" = [1.0 * "null", "iceoryx2 spin"];
    "null 1ms", "reedbed blocking": 1.2 of "floor futex" = [1.0 * "null 1ms", "floor futex"];
    "null 1ms", "reedbed async": 1.2 of "floor epoll" = [1.0 * "null 1ms", "floor epoll"];
    "null 20ms", "reedbed blocking": 1.3 of "floor futex" = [1.0 * "null 20ms", "floor futex"];
    "null 20ms", "reedbed async": 1.3 of "floor epoll" = [1.0 * "null 20ms", "floor epoll"];
    "null one core", "reedbed blocking": 1.0 of "floor futex" = [1.0 * "null one core", "floor futex"];
    "4KiB resident one", "reedbed blocking": 1.0 of "null + 2 x floor" = [1.0 * "null", "reedbed blocking"; 2.0 * "4KiB resident one", "floor"];
    "1MiB resident one", "reedbed blocking": 1.0 of "null + 2 x floor" = [1.0 * "null", "reedbed blocking"; 2.0 * "1MiB resident one", "floor"];
    "64MiB resident one", "reedbed blocking": 1.0 of "null + 2 x floor" = [1.0 * "null", "reedbed blocking"; 2.0 * "64MiB resident one", "floor"];
    "64MiB resident one", "reedbed async": 1.0 of "null + 2 x floor" = [1.0 * "null", "reedbed async"; 2.0 * "64MiB resident one", "floor"];
    "64MiB resident one", "reedbed blocking": 1.0 of "the same of 4 KiB" = [1.0 * "4KiB resident one", "reedbed blocking"];
    "64MiB heap sum", "reedbed blocking": 1.1 of "floor" = [1.0 * "64MiB heap sum", "floor"];
    "64MiB heap sum", "reedbed async": 1.1 of "floor" = [1.0 * "64MiB heap sum", "floor"];
    "64MiB heap returned", "reedbed blocking": 1.1 of "floor" = [1.0 * "64MiB heap returned", "floor"];
    "64MiB heap returned", "reedbed async": 1.1 of "floor" = [1.0 * "64MiB heap returned", "floor"];
};

/// Spawning has a goal in milliseconds.
const SPAWN: Goal = Goal {
    work: "spawn",
    system: "reedbed blocking",
    yardstick: Yardstick {
        terms: &[(1.0, "spawn", "floor")],
        plus_us: 8_000.0,
        label: "an empty program's + 8 ms",
    },
    ratio: 1.0,
};

/// The ratio of each round in which all of it was measured.
fn ratios(run: &Run, goal: &Goal) -> Vec<f64> {
    let ratio = |round: usize| {
        let at = |work, system| *run.medians(work, system).get(round)?;
        let mut yardstick = goal.yardstick.plus_us;
        for &(factor, work, system) in goal.yardstick.terms {
            yardstick += factor * at(work, system)?;
        }
        Some(at(goal.work, goal.system)? / yardstick)
    };
    (0..run.n_rounds).filter_map(ratio).collect()
}

/// What is said of a goal.
///
/// The rule is the interval's alone; a median that misses is told with it, so that nobody takes the
/// one for the other.
fn verdict(goal: f64, n_rounds: usize, median: f64, interval: &Interval) -> String {
    if n_rounds < MIN_VALUES {
        "too few rounds".to_owned()
    } else if interval.lower > goal {
        "**not reached**".to_owned()
    } else if median > goal {
        format!("reached by the interval's end alone (median {median:.2})")
    } else {
        "reached".to_owned()
    }
}

/// The goals of which everything was measured, in Markdown.
pub(super) fn table(run: &Run) -> String {
    let mut table = String::from(
        "| work | system | compared with | goal | median | 95% interval | worst round | |\n\
         |---|---|---|---:|---:|---:|---:|---|\n",
    );
    for goal in GOALS.iter().chain([&SPAWN]) {
        let ratios = ratios(run, goal);
        let (Some(median), Some(interval)) = (median(&ratios), median_interval(&ratios)) else {
            continue;
        };
        let worst = ratios.iter().copied().fold(0.0, f64::max);
        let verdict = if run.is_disturbed() {
            "not a quiet machine".to_owned()
        } else {
            verdict(goal.ratio, ratios.len(), median, &interval)
        };
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {median:.2} | {:.2} to {:.2} | {worst:.2} | {verdict} |",
            goal.work,
            goal.system,
            goal.yardstick.label,
            goal.ratio,
            interval.lower,
            interval.upper,
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{systems, work};

    #[test]
    fn a_verdict_rests_on_more_than_one_lucky_round() {
        let verdict = |ratios: &[f64]| {
            let (middle, interval) = (median(ratios).unwrap(), median_interval(ratios).unwrap());
            verdict(1.2, ratios.len(), middle, &interval)
        };
        assert_eq!(verdict(&[1.05, 2.2, 2.3, 2.3, 2.4, 2.8]), "too few rounds");
        let one_lucky = [1.05, 2.1, 2.2, 2.3, 2.3, 2.3, 2.4, 2.5, 2.8];
        assert_eq!(verdict(&one_lucky), "**not reached**");
        let two_lucky = [1.05, 1.1, 2.2, 2.3, 2.3, 2.3, 2.4, 2.5, 2.8];
        let by_its_end = "reached by the interval's end alone (median 2.30)";
        assert_eq!(verdict(&two_lucky), by_its_end);
        assert_eq!(verdict(&[1.1; 9]), "reached");
    }

    /// A goal of a misspelt row would silently be left out.
    #[test]
    fn goals_are_of_rows_that_there_are() {
        for goal in GOALS.iter().chain([&SPAWN]) {
            let rows = goal
                .yardstick
                .terms
                .iter()
                .map(|&(_, work, system)| (work, system));
            for (work, system) in rows.chain([(goal.work, goal.system)]) {
                let found = work::named(work).expect(work);
                let system_of_row = systems::named(system).expect(system);
                assert_eq!(system_of_row.lacks(&found), None, "{work}, {system}");
            }
        }
    }
}
