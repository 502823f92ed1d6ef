//! A batch that loses a worker to SIGSEGV, and is finished all the same.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use ndarray::Array2;
use reedbed::{CallFailure, FailureCause, WorkerEnd};
use segmentation::input::ImageSource;
use segmentation::nuclei::Options;
use segmentation::ways::{Job, Way, WayError};
use segmentation::{algorithm, in_full};

use crate::cli::Crash;
use crate::lane::{self, Lane, Loss};
use crate::leftovers::{Leftovers, shm_names};
use crate::{Failure, IsComplete, programs, text};

/// The images are repeated until there are as many, in all and for each worker.
const MIN_IMAGES: usize = 8;
const MIN_IMAGES_A_WORKER: usize = 4;
/// How long the threads that watched over the workers may take to end.
const SETTLE: Duration = Duration::from_secs(2);

/// An image, and the labels that it should get.
struct Item<'a> {
    path: &'a Path,
    expected: &'a Array2<u32>,
}

/// How the images fared.
#[derive(Debug, Default)]
struct Tally {
    n_done: AtomicUsize,
    n_lost: AtomicUsize,
    n_wrong: AtomicUsize,
}

pub(crate) fn run(plan: &Crash) -> Result<IsComplete, Failure> {
    let names_before = shm_names();
    let program = programs::worker()?;
    let expected = plan.images.iter().map(|path| segment_here(path));
    let expected = expected.collect::<Result<Vec<_>, _>>()?;
    let images = plan.images.iter().zip(&expected);
    let n_items = (plan.n_workers * MIN_IMAGES_A_WORKER).max(MIN_IMAGES);
    let items: Vec<_> = images
        .map(|(path, expected)| Item { path, expected })
        .cycle()
        .take(n_items.max(plan.images.len()))
        .collect();
    let lanes = (1..=plan.n_workers).map(|number| block_on(Lane::start(&program, number)));
    let lanes = lanes.collect::<Result<Vec<_>, _>>()?;

    println!(
        "{:<9} {} on {}\n",
        "batch",
        text::count(items.len(), "image"),
        lanes.iter().map(name).collect::<Vec<_>>().join(", "),
    );
    let tally = Tally::default();
    let crash = OnceLock::new();
    let half = items.len() / 2;
    lane::share(lanes, &items, |lane, index, item| {
        if index == half {
            let _ = crash.set(order_crash(lane));
        }
        treat(lane, index + 1, item, &tally);
    });
    // Its own call fails as well, of course.
    let _ = crash.into_inner().map(JoinHandle::join);
    let is_complete = tally.print(items.len());

    reedbed::trim_pool();
    let left = settled_leftovers(|| Leftovers::since(&names_before));
    println!("{:<9} {left}", "left");
    Ok(is_complete && left.is_nothing())
}

/// Segments an image in this process, without any worker.
fn segment_here(path: &Path) -> Result<Array2<u32>, Failure> {
    let mut source = ImageSource::open(path)?;
    let mut image = Array2::zeros(source.shape());
    let mut labels = Array2::zeros(source.shape());
    source.read_into(image.view_mut())?;
    algorithm::segment(image.view(), &Options::default(), labels.view_mut());
    Ok(labels)
}

/// Calls `crash` beside whatever else the worker is called for.
fn order_crash(lane: &Lane) -> JoinHandle<()> {
    println!("{:<9} called in {}", "crash()", name(lane));
    let nuclei = lane.nuclei().clone();
    thread::spawn(move || drop(nuclei.crash().wait()))
}

fn treat(lane: &mut Lane, number: usize, item: &Item<'_>, tally: &Tally) {
    let what = format!("image {number}");
    let segmented = block_on(lane.segment(Way::InPlace, item.path, |loss| {
        tally.n_lost.fetch_add(1, Ordering::Relaxed);
        println!("{what:<9} lost\n{}", story(loss));
    }));
    match segmented {
        Ok((called, segmented)) => {
            let labels = segmented.labels.view();
            let is_right = labels.is_ok_and(|labels| labels == item.expected);
            tally
                .n_wrong
                .fetch_add(usize::from(!is_right), Ordering::Relaxed);
            tally.n_done.fetch_add(1, Ordering::Relaxed);
            let n_objects = text::count(called.n_objects, "object");
            println!("{what:<9} {n_objects}, by {}", name(lane));
        }
        Err(error) => println!("{what:<9} FAILED: {}", in_full(error.as_ref())),
    }
}

/// Tells of a worker's death as the host knows of it, a line a fact.
fn story(loss: &Loss<'_>) -> String {
    let mut facts = Vec::new();
    if let WayError::Call(error) = loss.error
        && let Some(failure) = error.failure()
    {
        let (module, function) = failure.function();
        let (kind, end) = kind_and_end(failure);
        facts.push((
            "call",
            format!("{module}::{function} in {}", failure.worker()),
        ));
        facts.push(("error", format!("{kind}: {}", end.reason())));
        let lines = end.last_lines().iter();
        facts.extend(lines.map(|line| ("printed", format!("{line:?}"))));
    }
    if let Job::InPlace(job) = loss.job {
        let refused = if job.labels().is_err() {
            "refused"
        } else {
            "allowed"
        };
        let poisoned = if job.is_poisoned() { "yes" } else { "no" };
        facts.push((
            "poisoned",
            format!("{poisoned}; a view of the labels is {refused}"),
        ));
    }
    let process = loss
        .new_pid
        .map_or("none".to_owned(), |pid| pid.to_string());
    let ready = text::time(loss.replaced_in);
    facts.push((
        "replaced",
        format!("by process {process}, ready after {ready}"),
    ));
    facts.push((
        "again",
        "labels blanked, image passed to the new worker".to_owned(),
    ));
    let lines = facts
        .iter()
        .map(|(fact, text)| format!("{:9} {fact:<9} {text}", ""));
    lines.collect::<Vec<_>>().join("\n")
}

fn kind_and_end(failure: &CallFailure) -> (&'static str, &WorkerEnd) {
    match failure.cause() {
        FailureCause::WorkerDied { end } => ("WorkerDied", end),
        FailureCause::WorkerGone { end } => ("WorkerGone", end),
        other => unreachable!("a worker isn't replaced for {other}"),
    }
}

fn name(lane: &Lane) -> String {
    let process = lane.pid().map_or("none".to_owned(), |pid| pid.to_string());
    format!("worker {} (process {process})", lane.number())
}

impl Tally {
    /// Says how it went, and returns whether every image was done right and one of them twice.
    fn print(self, n_items: usize) -> bool {
        let n_done = self.n_done.into_inner();
        let n_lost = self.n_lost.into_inner();
        let n_wrong = self.n_wrong.into_inner();
        let labels = match n_wrong {
            0 => "all labels as computed in this process".to_owned(),
            n => format!("{} WRONG", text::count(n, "label map")),
        };
        println!(
            "\n{:<9} {n_done} of {}, {n_lost} lost and done again; {labels}",
            "done",
            text::count(n_items, "image"),
        );
        n_done == n_items && n_wrong == 0 && n_lost > 0
    }
}

/// Looks until nothing is left, or for a while.
fn settled_leftovers(look: impl Fn() -> Leftovers) -> Leftovers {
    let until = Instant::now() + SETTLE;
    loop {
        let left = look();
        if left.is_nothing() || Instant::now() > until {
            return left;
        }
        thread::sleep(Duration::from_millis(1));
    }
}
