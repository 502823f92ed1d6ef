//! Several images, shared among workers. One that fails doesn't stop the others.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use indicatif::{ProgressBar, ProgressStyle};
use segmentation::in_full;
use segmentation::ways::{Segmented, Way};

use crate::cli::Batch;
use crate::lane::{self, Lane};
use crate::{Failure, IsComplete, programs, results, text};

/// An image, and where its results go.
struct Item {
    image: PathBuf,
    shown: String,
    directory: PathBuf,
}

/// What came of an image.
struct Done {
    shape: String,
    n_objects: usize,
    took: Duration,
}

pub(crate) fn run(plan: &Batch) -> Result<IsComplete, Failure> {
    let since = Instant::now();
    let program = programs::worker()?;
    let items = items(&plan.images, &plan.out);
    let lanes = (1..=plan.n_workers).map(|number| block_on(Lane::start(&program, number)));
    let lanes = lanes.collect::<Result<Vec<_>, _>>()?;

    let width = items.iter().map(|item| item.shown.chars().count());
    let width = width.max().unwrap_or(0).max("image".len());
    let bar = bar(items.len() as u64);
    // The bar, if there is one, makes way for each line.
    let say = |line: String| bar.suspend(|| println!("{line}"));
    say(format!(
        "{:<width$}  {:>13}  {:>7}  {:>8}   worker   results",
        "image", "pixels", "objects", "time"
    ));
    let n_failed = AtomicUsize::new(0);
    lane::share(lanes, &items, |lane, _, item| {
        let line = match block_on(segment(lane, &plan.ways, item, &say)) {
            Ok(done) => format!(
                "{:<width$}  {:>13}  {:>7}  {:>8}   {:>6}   {}",
                item.shown,
                done.shape,
                done.n_objects,
                text::time(done.took),
                lane.number(),
                text::path(&item.directory),
            ),
            Err(error) => {
                n_failed.fetch_add(1, Ordering::Relaxed);
                let error = in_full(error.as_ref());
                format!("{:<width$}  {:>13}  {error}", item.shown, "FAILED")
            }
        };
        say(line);
        bar.inc(1);
    });
    bar.finish_and_clear();

    let n_failed = n_failed.into_inner();
    println!(
        "\n{} of {} segmented by {} in {}",
        items.len() - n_failed,
        text::count(items.len(), "image"),
        text::count(plan.n_workers, "worker"),
        text::time(since.elapsed()),
    );
    if n_failed > 0 {
        eprintln!(
            "error: {} failed, see above",
            text::count(n_failed, "image")
        );
    }
    Ok(n_failed == 0)
}

/// Segments an image, in one way or in several that must agree, and writes what was found.
async fn segment(
    lane: &mut Lane,
    ways: &[Way],
    item: &Item,
    say: &impl Fn(String),
) -> Result<Done, Failure> {
    let since = Instant::now();
    let mut first: Option<(usize, Segmented)> = None;
    for way in ways {
        let (called, segmented) = lane
            .segment(*way, &item.image, |loss| {
                let error = in_full(loss.error);
                say(format!("{}: {error}; trying another worker", item.shown));
            })
            .await?;
        match &first {
            None => first = Some((called.n_objects, segmented)),
            Some((_, first)) if first.labels.view()? != segmented.labels.view()? => {
                return Err("the ways give different labels".into());
            }
            Some(_) => {}
        }
    }
    let (n_objects, segmented) = first.ok_or("there is no way to segment it")?;
    let took = since.elapsed() / u32::try_from(ways.len())?;
    let objects = lane
        .nuclei()
        .measure(&segmented.image, &segmented.labels)
        .await?;
    results::write(&item.directory, &item.image, &segmented, &objects)?;
    Ok(Done {
        shape: text::shape(segmented.image.shape()),
        n_objects,
        took,
    })
}

/// Gives each image a directory that is named after it; equal names are numbered.
fn items(images: &[PathBuf], out: &Path) -> Vec<Item> {
    let mut taken = HashSet::new();
    let mut directory = |image: &Path| {
        let stem = image.file_stem().unwrap_or_default().to_string_lossy();
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        let mut names = std::iter::once(stem.to_string()).chain(numbered);
        let name = names.find(|name| taken.insert(name.clone()));
        out.join(name.unwrap_or_default())
    };
    images
        .iter()
        .map(|image| Item {
            image: image.clone(),
            shown: text::path(image),
            directory: directory(image),
        })
        .collect()
}

/// A progress bar on standard error; none, if that isn't a terminal.
fn bar(n: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("[{bar:30}] {pos} of {len} images, {elapsed}");
    let bar = ProgressBar::new(n);
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_get_directories_of_their_own() {
        let images = ["a/x.tif", "b/x.png", "x-2.tif", "y.tif"].map(PathBuf::from);
        let directories: Vec<_> = items(&images, Path::new("out"))
            .into_iter()
            .map(|item| item.directory)
            .collect();
        let expected = ["out/x", "out/x-2", "out/x-2-2", "out/y"].map(PathBuf::from);
        assert_eq!(directories, expected);
    }
}
