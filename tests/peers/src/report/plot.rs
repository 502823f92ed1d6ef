//! Plots by hand: a bar from p50 to p99 a row, on a logarithmic axis.

use std::fmt::Write;

use crate::run::{Run, Summary};
use crate::work::Group;

const WIDTH: f64 = 900.0;
/// Where the axis begins, right of the names.
const LEFT: f64 = 230.0;
const RIGHT: f64 = 30.0;
const ROW: f64 = 18.0;
const HEADING: f64 = 30.0;

/// The groups of which anything was measured.
pub(super) fn groups(run: &Run) -> impl Iterator<Item = Group> {
    Group::ALL
        .into_iter()
        .filter(|&group| !blocks(run, group).is_empty())
}

/// The files: name and content.
pub(super) fn all(run: &Run) -> Vec<(String, String)> {
    groups(run)
        .map(|group| {
            (
                format!("{}.svg", group.file()),
                draw(group, &blocks(run, group)),
            )
        })
        .collect()
}

/// A work with the systems that do it.
type Block = (&'static str, Vec<(&'static str, Summary)>);

fn blocks(run: &Run, group: Group) -> Vec<Block> {
    let rows = |work| {
        let row = |&system| Some((system, run.cell(work, system)?.summary()?));
        run.systems.iter().filter_map(row).collect::<Vec<_>>()
    };
    run.works
        .iter()
        .filter(|work| work.group == group)
        .map(|work| (work.name, rows(work.name)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect()
}

/// Powers of ten, in microseconds, and where they lie.
struct Axis {
    from: i32,
    to: i32,
}

impl Axis {
    fn over(blocks: &[Block]) -> Self {
        let summaries = || blocks.iter().flat_map(|(_, rows)| rows).map(|(_, row)| row);
        let least = summaries().map(|row| row.p50_us).fold(f64::MAX, f64::min);
        let most = summaries()
            .map(|row| row.p99_us)
            .fold(f64::MIN_POSITIVE, f64::max);
        let from = least.log10().floor() as i32;
        Self {
            from,
            to: (most.log10().ceil() as i32).max(from + 1),
        }
    }

    fn x(&self, microseconds: f64) -> f64 {
        let share = (microseconds.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }
}

fn draw(group: Group, blocks: &[Block]) -> String {
    let axis = Axis::over(blocks);
    let n_rows: usize = blocks.iter().map(|(_, rows)| rows.len()).sum();
    let height = 70.0 + HEADING * blocks.len() as f64 + ROW * n_rows as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"16\">{}: p50 (dot) to p99, time of a call</text>\n",
        group.title()
    );
    for power in axis.from..=axis.to {
        let x = axis.x(10f64.powi(power));
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"36\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
            height - 24.0,
            height - 8.0,
            unit(power)
        );
    }
    let mut y = 40.0;
    for (work, rows) in blocks {
        y += HEADING;
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{:.1}\" font-weight=\"bold\">{work}</text>",
            y - 10.0
        );
        for (system, row) in rows {
            let (p50, p99) = (axis.x(row.p50_us), axis.x(row.p99_us));
            let (text, middle) = (y + 8.0, y + 4.0);
            let color = color(system);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{system}</text>\
                 <line x1=\"{p50:.1}\" y1=\"{middle:.1}\" x2=\"{p99:.1}\" y2=\"{middle:.1}\" stroke=\"{color}\" stroke-width=\"4\" stroke-opacity=\"0.4\"/>\
                 <circle cx=\"{p50:.1}\" cy=\"{middle:.1}\" r=\"5\" fill=\"{color}\"/>",
                LEFT - 12.0
            );
            y += ROW;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Reedbed and the floor stand out.
fn color(system: &str) -> &'static str {
    if system.starts_with("reedbed") {
        "#0a7d54"
    } else if system.starts_with("floor") {
        "#222222"
    } else {
        "#7a8ba0"
    }
}

/// A power of ten of microseconds as a person says it.
fn unit(power: i32) -> String {
    match power {
        ..0 => format!("{} ns", 10i32.pow((power + 3).unsigned_abs())),
        0..3 => format!("{} µs", 10i32.pow(power.unsigned_abs())),
        3..6 => format!("{} ms", 10i32.pow(power.unsigned_abs() - 3)),
        _ => format!("{} s", 10i32.pow(power.unsigned_abs() - 6)),
    }
}
