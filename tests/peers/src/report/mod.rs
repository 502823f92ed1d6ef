//! What a run leaves behind: `peers.json`, the medians of each round, a table and plots.

mod goals;
mod json;
pub(crate) mod load;
pub(crate) mod machine;
mod overview;
mod plot;
mod table;

use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::run::Run;

/// Writes everything; the goals are printed too.
pub(crate) fn write(run: &Run, json: &Path, docs: &Path) -> Outcome {
    fs::create_dir_all(json)?;
    fs::create_dir_all(docs)?;
    fs::write(json.join("peers.json"), json::rows(run)?)?;
    fs::write(json.join("peers-rounds.json"), json::rounds(run)?)?;
    for (name, svg) in plot::all(run).into_iter().chain(overview::draw(run)) {
        fs::write(docs.join(name), svg)?;
    }
    let goals = goals::table(run);
    fs::write(docs.join("results.md"), table::results(run, &goals)?)?;
    println!("{}\n{goals}", table::rows(run));
    if run.is_disturbed() {
        println!("{}\n", table::disturbance(run));
    }
    println!("written to {} and {}", json.display(), docs.display());
    Ok(())
}
