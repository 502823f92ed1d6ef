//! What can be asked for on the command line.

use std::path::{Path, PathBuf};
use std::thread;

use clap::{CommandFactory, Parser, ValueEnum, error::ErrorKind};
use segmentation::bundled;
use segmentation::ways::Way;

use crate::scikit;
use crate::size::Size;

/// The most workers that make sense to ask for.
const MAX_WORKERS: u16 = 256;
/// One worker to lose, and one to go on meanwhile.
const CRASH_WORKERS: usize = 2;

/// Segments microscopy images in worker processes, without copying a pixel.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", version)]
pub(crate) struct Cli {
    /// Grey images to segment, TIFF or PNG with 8 or 16 bits a pixel [default: the bundled nuclei]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    image: Vec<PathBuf>,
    /// The image's true labels, to score what is found [default: the bundled truth for the bundled
    /// image, else none]
    #[arg(long, value_name = "PATH")]
    truth: Option<PathBuf>,
    /// Where to write; several images get a directory each in it [default: target/demo in the
    /// workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many worker processes share the images, at most one an image [default: the number of
    /// cores; 2 with --crash]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_WORKERS)))]
    workers: Option<u16>,
    /// How images and labels are passed [default: all for one image, in-place for several]
    #[arg(long, value_enum, value_name = "WAY")]
    mode: Option<Mode>,
    /// Which worker segments; `python` runs scikit-image beside the worker in Rust, in a virtual
    /// environment that is made the first time
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value = "rust")]
    worker: Language,
    /// Tile the image to SIZE (64MiB, 2GiB), and compare a call that copies the pixels with one that
    /// shares them; writes nothing
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["crash", "truth", "mode"])]
    mosaic: Option<Size>,
    /// Segment the images repeatedly, crash a worker in the middle, and finish all the same; writes
    /// nothing
    #[arg(long, conflicts_with_all = ["truth", "mode"])]
    crash: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// The worker reads the file and returns new tensors
    Returned,
    /// The host lends tensors, and the worker writes the labels into one of them
    InPlace,
    /// The same with bare segments and a shape
    Raw,
    /// Each of these in turn; all must agree
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// The worker of this package
    Rust,
    /// That one, and scikit-image in a Python worker
    Python,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    Single(Single),
    Batch(Batch),
    Crash(Crash),
    Mosaic(Mosaic),
}

/// One image, in some or all ways.
#[derive(Debug)]
pub(crate) struct Single {
    pub(crate) image: PathBuf,
    pub(crate) truth: Option<PathBuf>,
    pub(crate) out: PathBuf,
    pub(crate) ways: Vec<Way>,
    /// Whether scikit-image is to do the same.
    pub(crate) has_python: bool,
}

/// Several images.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) images: Vec<PathBuf>,
    pub(crate) out: PathBuf,
    pub(crate) n_workers: usize,
    pub(crate) ways: Vec<Way>,
}

/// Several images, and a worker that dies.
#[derive(Debug)]
pub(crate) struct Crash {
    pub(crate) images: Vec<PathBuf>,
    pub(crate) n_workers: usize,
}

/// A large image.
#[derive(Debug)]
pub(crate) struct Mosaic {
    pub(crate) image: PathBuf,
    pub(crate) size: Size,
}

impl Cli {
    /// Fills in what wasn't said. What can't be done ends the program, with status 2 and a
    /// message.
    pub(crate) fn into_task(self) -> Task {
        let is_bundled = self.image.is_empty();
        let mut images = self.image;
        if is_bundled {
            images.push(bundled::image());
        }
        let has_python = self.worker == Language::Python;
        if has_python
            && (images.len() > 1 || self.mosaic.is_some() || self.crash || self.mode.is_some())
        {
            refuse(
                "--worker python segments one image, in the ways that Python serves; leave --mode, --mosaic, --crash and further images out",
            );
        }
        if let Some(size) = self.mosaic {
            if images.len() > 1 {
                refuse("--mosaic tiles one image; give one --image, or none for the bundled one");
            }
            let image = images.remove(0);
            return Task::Mosaic(Mosaic { image, size });
        }
        let n_workers = self.workers.map(usize::from);
        if self.crash {
            let n_workers = n_workers.unwrap_or(CRASH_WORKERS);
            return Task::Crash(Crash { images, n_workers });
        }
        let out = self.out.unwrap_or_else(default_out);
        if images.len() == 1 {
            return Task::Single(Single {
                image: images.remove(0),
                truth: self.truth.or_else(|| is_bundled.then(bundled::truth)),
                out,
                ways: if has_python {
                    scikit::WAYS.to_vec()
                } else {
                    ways(self.mode.unwrap_or(Mode::All))
                },
                has_python,
            });
        }
        if self.truth.is_some() {
            refuse("--truth is for one image; give one --image, or leave --truth out");
        }
        let n_cores = thread::available_parallelism().map_or(1, usize::from);
        Task::Batch(Batch {
            n_workers: n_workers.unwrap_or(n_cores).min(images.len()),
            ways: ways(self.mode.unwrap_or(Mode::InPlace)),
            images,
            out,
        })
    }
}

fn ways(mode: Mode) -> Vec<Way> {
    match mode {
        Mode::Returned => vec![Way::Returned],
        Mode::InPlace => vec![Way::InPlace],
        Mode::Raw => vec![Way::Raw],
        Mode::All => Way::ALL.to_vec(),
    }
}

/// The directory `target/demo` of the workspace, wherever the program is run.
fn default_out() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = package.ancestors().nth(2).unwrap_or(package);
    workspace.join("target/demo")
}

/// Ends the program as clap does for what it finds itself.
fn refuse(what: &str) -> ! {
    Cli::command()
        .error(ErrorKind::ArgumentConflict, what)
        .exit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_default_is_the_bundled_image_in_all_ways() {
        let Task::Single(plan) = Cli::parse_from(["host"]).into_task() else {
            panic!("not a single image")
        };
        assert_eq!(plan.image, bundled::image());
        assert_eq!(plan.truth, Some(bundled::truth()));
        assert_eq!(plan.ways, Way::ALL);
        assert!(plan.out.ends_with("target/demo"));
    }

    #[test]
    fn several_images_share_no_more_workers_than_there_are() {
        let line = [
            "host",
            "--image",
            "a",
            "b",
            "--workers",
            "9",
            "--image",
            "c",
        ];
        let Task::Batch(plan) = Cli::parse_from(line).into_task() else {
            panic!("not a batch")
        };
        assert_eq!(plan.images.len(), 3);
        assert_eq!(plan.n_workers, 3);
        assert_eq!(plan.ways, [Way::InPlace]);
    }
}
