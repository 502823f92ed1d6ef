//! One image: segmented in each way, twice, and compared.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use ndarray::Array2;
use segmentation::input::ImageSource;
use segmentation::nuclei::{Object, Options};
use segmentation::score::score;
use segmentation::ways::{Called, Job, Segmented, Way};

use crate::cli::Single;
use crate::lane::Lane;
use crate::{Failure, IsComplete, programs, results, scikit, text};

/// The overlaps at which the average precision is told.
const IOUS: [f64; 2] = [0.5, 0.7];

/// What came of one way.
pub(crate) struct Outcome {
    /// The way, and the worker's language if there are two.
    pub(crate) name: String,
    pub(crate) called: Called,
    pub(crate) first: Duration,
    pub(crate) warm: Duration,
    pub(crate) segmented: Segmented,
    pub(crate) objects: Vec<Object>,
}

pub(crate) fn run(plan: &Single) -> Result<IsComplete, Failure> {
    let program = programs::worker()?;
    let truth = plan.truth.as_deref().map(read_truth).transpose()?;
    let outcomes = plan
        .ways
        .iter()
        .map(|way| block_on(try_way(*way, &plan.image, &program)));
    let mut outcomes = outcomes.collect::<Result<Vec<_>, _>>()?;
    let mut is_equal = agree(&outcomes)?;
    let mut workers = text::path(&program);
    let n_rust = outcomes.len();
    if plan.has_python {
        let interpreter = scikit::interpreter()?;
        for outcome in &mut outcomes {
            outcome.name = format!("rust {}", outcome.name);
        }
        for way in scikit::WAYS {
            outcomes.push(block_on(scikit::try_way(way, &plan.image, &interpreter))?);
        }
        is_equal &= agree(&outcomes[n_rust..])?;
        workers += &format!(" and {}", text::path(&interpreter));
    }
    // What Python found is written, where it was asked for.
    let Some(best) = outcomes.get(if plan.has_python { n_rust } else { 0 }) else {
        return Ok(true);
    };

    let image = &best.segmented.image;
    println!(
        "image     {}: {} pixels, {}",
        text::path(&plan.image),
        text::shape(image.shape()),
        text::bytes(image.size_bytes() as u64),
    );
    println!("workers   {workers}, one process a way\n");
    print_table(&outcomes, truth.as_ref())?;
    println!();
    if outcomes.len() > 1 {
        println!(
            "labels    {}",
            if is_equal {
                if plan.has_python {
                    "equal in all ways of a language, pixel by pixel; Python's are written"
                } else {
                    "equal in all ways, pixel by pixel"
                }
            } else {
                "DIFFERENT in different ways; the first are written"
            }
        );
    }
    let files = results::write(&plan.out, &plan.image, &best.segmented, &best.objects)?;
    println!("written   {}: {}", text::path(&plan.out), files.join(", "));
    Ok(is_equal)
}

/// Segments the image twice in a worker of its own.
async fn try_way(way: Way, image: &Path, program: &Path) -> Result<Outcome, Failure> {
    let lane = Lane::start(program, 1).await?;
    let (nuclei, options) = (lane.nuclei(), Options::default());
    let mut job = Job::prepare(way, image)?;
    let since = Instant::now();
    job.call(nuclei, &options).await?;
    let first = since.elapsed();
    let since = Instant::now();
    let called = job.call(nuclei, &options).await?;
    let warm = since.elapsed();
    let segmented = job.finish().ok_or("the segments lost their shape")?;
    let objects = nuclei.measure(&segmented.image, &segmented.labels).await?;
    lane.stop().await;
    Ok(Outcome {
        name: way.to_string(),
        called,
        first,
        warm,
        segmented,
        objects,
    })
}

fn read_truth(path: &Path) -> Result<Array2<u32>, Failure> {
    let mut source = ImageSource::open(path)?;
    let mut labels = Array2::zeros(source.shape());
    source.read_into(labels.view_mut())?;
    Ok(labels.mapv(u32::from))
}

/// Tells whether all labels are equal.
fn agree(outcomes: &[Outcome]) -> Result<bool, Failure> {
    for pair in outcomes.windows(2) {
        let [one, other] = pair else { continue };
        if one.segmented.labels.view()? != other.segmented.labels.view()? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn print_table(outcomes: &[Outcome], truth: Option<&Array2<u32>>) -> Result<(), Failure> {
    print!(
        "{:<15}  objects  first call   warm call      shared      copied",
        "way"
    );
    if truth.is_some() {
        IOUS.iter().for_each(|iou| print!("   AP@{iou}"));
    }
    println!();
    for outcome in outcomes {
        let report = &outcome.called.report;
        print!(
            "{:<15}  {:>7}  {:>10}  {:>10}  {:>10}  {:>10}",
            outcome.name,
            outcome.called.n_objects,
            text::time(outcome.first),
            text::time(outcome.warm),
            text::bytes(report.shared_bytes),
            text::bytes(report.copied_bytes),
        );
        if let Some(truth) = truth {
            for iou in IOUS {
                let score = score(truth.view(), outcome.segmented.labels.view()?, iou)?;
                print!("   {:>6.3}", score.average_precision());
            }
        }
        println!();
    }
    Ok(())
}
