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
pub(super) struct Axis {
    from: i32,
    to: i32,
    left: f64,
    width: f64,
}

impl Axis {
    pub(super) fn over<'a>(
        rows: impl Iterator<Item = &'a Summary> + Clone,
        left: f64,
        width: f64,
    ) -> Self {
        let least = rows.clone().map(|row| row.p50_us).fold(f64::MAX, f64::min);
        let most = rows.map(|row| row.p99_us).fold(f64::MIN_POSITIVE, f64::max);
        let from = least.log10().floor() as i32;
        Self {
            from,
            to: (most.log10().ceil() as i32).max(from + 1),
            left,
            width,
        }
    }

    pub(super) fn x(&self, microseconds: f64) -> f64 {
        let share = (microseconds.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        self.left + share * self.width
    }

    /// Lines at the powers of ten between two heights, with what each stands for below.
    pub(super) fn grid(&self, top: f64, bottom: f64) -> String {
        let mut svg = String::new();
        // Where they lie close to each other, each other one is named.
        let each = if self.width < 45.0 * f64::from(self.to - self.from) {
            2
        } else {
            1
        };
        for power in self.from..=self.to {
            let x = self.x(10f64.powi(power));
            let name = if (power - self.from) % each == 0 {
                unit(power)
            } else {
                String::new()
            };
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{name}</text>",
                bottom + 16.0,
            );
        }
        svg
    }

    /// A dot at the median, and a line from there to the 99th percentile.
    pub(super) fn mark(&self, system: &str, row: &Summary, y: f64) -> String {
        let (p50, p99, color) = (self.x(row.p50_us), self.x(row.p99_us), color(system));
        format!(
            "<line x1=\"{p50:.1}\" y1=\"{y:.1}\" x2=\"{p99:.1}\" y2=\"{y:.1}\" stroke=\"{color}\" stroke-width=\"4\" stroke-opacity=\"0.4\"/>\
             <circle cx=\"{p50:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{color}\"/>\n"
        )
    }
}

fn draw(group: Group, blocks: &[Block]) -> String {
    let rows = blocks.iter().flat_map(|(_, rows)| rows).map(|(_, row)| row);
    let axis = Axis::over(rows, LEFT, WIDTH - LEFT - RIGHT);
    let n_rows: usize = blocks.iter().map(|(_, rows)| rows.len()).sum();
    let height = 70.0 + HEADING * blocks.len() as f64 + ROW * n_rows as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"16\">{}: p50 (dot) to p99, time of a call</text>\n",
        group.title()
    );
    svg += &axis.grid(36.0, height - 24.0);
    let mut y = 40.0;
    for (work, rows) in blocks {
        y += HEADING;
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{:.1}\" font-weight=\"bold\">{work}</text>",
            y - 10.0
        );
        for (system, row) in rows {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{system}</text>{}",
                LEFT - 12.0,
                y + 8.0,
                axis.mark(system, row, y + 4.0)
            );
            y += ROW;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Reedbed and the floor stand out.
pub(super) fn color(system: &str) -> &'static str {
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
