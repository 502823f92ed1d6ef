//! One small plot for a first look: the three works of `--quick`, side by side.

use std::fmt::Write;

use super::plot::{Axis, color};
use super::table::figures;
use crate::run::{Run, Summary};
use crate::work::QUICK;

/// Those that stand for their kind.
const SYSTEMS: [&str; 10] = [
    "floor",
    "reedbed blocking",
    "reedbed async",
    "iceoryx2 spin",
    "iceoryx2 event",
    "ipc-channel",
    "tarpc",
    "tonic",
    "wetlands",
    "multiprocessing",
];

const WIDTH: f64 = 900.0;
/// Where the first panel begins, right of the names.
const LEFT: f64 = 140.0;
/// From one panel to the next, and what of that is axis; the rest is for figures.
const PANEL: f64 = (WIDTH - LEFT) / QUICK.len() as f64;
const AXIS: f64 = PANEL - 75.0;
const TOP: f64 = 100.0;
const ROW: f64 = 29.0;

/// What the works are, for those who have not read their names' meaning.
fn meaning(work: &str) -> &'static str {
    match work {
        "null" => "nothing there, nothing back",
        "64MiB resident one" => "names the array, reads one element",
        "64MiB heap sum" => "hands over the array, reads all of it",
        _ => "",
    }
}

/// The file, if all of its works were measured: name and content.
pub(super) fn draw(run: &Run) -> Option<(String, String)> {
    let summary = |work: &str, system: &str| run.cell(work, system)?.summary();
    let is_measured = |system: &&str| QUICK.iter().any(|work| summary(work, system).is_some());
    let systems: Vec<_> = SYSTEMS.into_iter().filter(is_measured).collect();
    let bottom = TOP + ROW * systems.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"14\" y=\"26\" font-size=\"16\" font-weight=\"bold\">The time of a call</text>\n\
         <text x=\"14\" y=\"46\" fill=\"#555\">the dot and the figure are the median, the line ends at the \
         99th percentile; logarithmic axes, each panel its own</text>\n",
        height = bottom + 30.0,
    );
    for (row, system) in systems.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        if row % 2 == 0 {
            let _ = writeln!(
                svg,
                "<rect x=\"0\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{ROW}\" fill=\"#f5f6f8\"/>"
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"14\" y=\"{:.1}\" fill=\"{}\" font-weight=\"{}\">{system}</text>",
            middle(row) + 4.0,
            color(system),
            weight(system),
        );
    }
    for (n_panel, work) in QUICK.into_iter().enumerate() {
        let left = LEFT + PANEL * n_panel as f64;
        let rows: Vec<_> = systems.iter().map(|system| summary(work, system)).collect();
        // An axis needs something to lie on it.
        rows.iter().flatten().next()?;
        let axis = Axis::over(rows.iter().flatten(), left + 8.0, AXIS);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" font-weight=\"bold\">{work}</text>\
             <text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"11\" fill=\"#555\">{}</text>",
            TOP - 24.0,
            TOP - 9.0,
            meaning(work),
            x = left + 8.0,
        );
        svg += &axis.grid(TOP, bottom);
        for (row, (system, summary)) in systems.iter().zip(&rows).enumerate() {
            svg += &match summary {
                Some(summary) => entry(&axis, row, system, summary),
                None => absence(left, row, run.reason(work, system)),
            };
        }
    }
    svg.push_str("</svg>\n");
    Some(("overview.svg".to_owned(), svg))
}

/// What one panel says of one system.
fn entry(axis: &Axis, row: usize, system: &str, summary: &Summary) -> String {
    let y = middle(row);
    let end = axis.x(summary.p99_us).max(axis.x(summary.p50_us) + 5.0);
    format!(
        "{}<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{}\" font-weight=\"{}\">{}</text>\n",
        axis.mark(system, summary, y),
        end + 6.0,
        y + 4.0,
        color(system),
        weight(system),
        spoken(summary.p50_us),
    )
}

/// Why there is nothing, if that is short enough for a panel.
fn absence(left: f64, row: usize, reason: Option<&str>) -> String {
    let reason = reason.filter(|reason| reason.len() < 36);
    format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#999\" font-style=\"italic\">{}</text>\n",
        left + 14.0,
        middle(row) + 4.0,
        reason.unwrap_or("not measured"),
    )
}

fn middle(row: usize) -> f64 {
    TOP + ROW * (row as f64 + 0.5)
}

fn weight(system: &str) -> &'static str {
    if system.starts_with("reedbed") {
        "bold"
    } else {
        "normal"
    }
}

/// A time as a person says it.
fn spoken(microseconds: f64) -> String {
    match microseconds {
        us if us < 1000.0 => format!("{} µs", figures(us)),
        us => format!("{} ms", figures(us / 1000.0)),
    }
}
