//! One image, segmented by scikit-image in a Python worker.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ndarray::Ix2;
use reedbed::{Report, Tensor, Worker};
use segmentation::input::ImageSource;
use segmentation::scikit::{ScikitClient, environment, worker};
use segmentation::ways::{Called, Segmented, Way};

use crate::Failure;
use crate::single::Outcome;

/// How long the worker may take to import scikit-image. It takes a second, and more when its files
/// are read for the first time.
const STARTUP: Duration = Duration::from_secs(120);
/// How long it may take to exit.
const GRACE: Duration = Duration::from_secs(2);

/// The ways that Python serves.
pub(crate) const WAYS: [Way; 2] = [Way::Returned, Way::InPlace];

/// Returns a Python with scikit-image, made below the directory of this program's profile.
pub(crate) fn interpreter() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).ok_or("this program has no place")?;
    Ok(environment(&target.join("scikit-image"), |what| {
        println!("python    {what}")
    })?)
}

/// Segments the image twice in a Python worker of its own.
pub(crate) async fn try_way(
    way: Way,
    image: &Path,
    interpreter: &Path,
) -> Result<Outcome, Failure> {
    let worker = start(interpreter).await?;
    let scikit = worker.import::<ScikitClient>().await?;
    let mut source = ImageSource::open(image)?;
    let mut pixels = Tensor::<u16, Ix2>::uninit(source.shape())?;
    let mut labels = Tensor::<u32, Ix2>::uninit(source.shape())?;
    source.read_into(pixels.view_mut()?)?;
    let (_, first) = call(way, &scikit, &pixels, &mut labels).await?;
    let (called, warm) = call(way, &scikit, &pixels, &mut labels).await?;
    let objects = scikit
        .measure_objects(&pixels, &labels)
        .forbid_copies()
        .await?;
    worker.shutdown(GRACE).await;
    let segmented = Segmented {
        image: pixels,
        labels,
    };
    Ok(Outcome {
        name: format!("python {way}"),
        called,
        first,
        warm,
        segmented,
        objects,
    })
}

async fn start(interpreter: &Path) -> Result<Worker, Failure> {
    let builder = worker(interpreter).name("scikit-image").log(|_| {});
    Ok(builder.startup_timeout(STARTUP).spawn().await?)
}

/// Calls the worker once; tells how long it took.
async fn call(
    way: Way,
    scikit: &ScikitClient,
    image: &Tensor<u16, Ix2>,
    labels: &mut Tensor<u32, Ix2>,
) -> Result<(Called, Duration), Failure> {
    let since = Instant::now();
    let (n_objects, report): (usize, Report);
    if way == Way::Returned {
        ((*labels, n_objects), report) = scikit.segment(image).forbid_copies().reported().await?;
    } else {
        (n_objects, report) = scikit
            .segment_into(image, labels)
            .forbid_copies()
            .reported()
            .await?;
    }
    Ok((Called { n_objects, report }, since.elapsed()))
}
