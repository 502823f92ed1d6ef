//! The host program, run as people run it: what it prints, writes and exits with.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::{Array2, Ix2};
use reedbed::Tensor;
use tempfile::TempDir;

use common::tiff_file::TiffFile;
use common::{bundled, found, load, nuclei};

/// What came of a run.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn host<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    run(Path::new(env!("CARGO_BIN_EXE_host")), arguments)
}

fn run<S: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = S>) -> Run {
    let output = Command::new(program).args(arguments).output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// Checks that all went well.
    #[track_caller]
    fn assert_complete(&self) {
        let Self { code, out, err } = self;
        assert_eq!(*code, Some(0), "{out}{err}");
        assert_eq!(err, "", "{out}");
    }

    /// Returns the line that begins with a word.
    #[track_caller]
    fn line(&self, word: &str) -> &str {
        let line = self.out.lines().find(|line| line.starts_with(word));
        line.unwrap_or_else(|| panic!("no line `{word} ..` in\n{}", self.out))
    }
}

/// A directory with images of every sad kind.
struct BadImages(TempDir);

impl BadImages {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            fs::write(directory.path().join(name), bytes).unwrap();
        };
        let good = TiffFile::new(8, 8);
        write("truncated.tif", &good.bytes(|_, _| 7)[..60]);
        let rgb = TiffFile {
            channels: 3,
            photometric: 2,
            ..good.clone()
        };
        write("rgb.tif", &rgb.bytes(|_, _| 7));
        let float = TiffFile {
            bits: 32,
            sample_format: 3,
            ..good
        };
        write("float.tif", &float.bytes(|_, _| 7));
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Reads the three forms of the labels in a directory, which must be equal.
#[track_caller]
fn labels_in(directory: &Path, stem: &str) -> Array2<u32> {
    let tiff = load(&directory.join("labels.tif")).mapv(u32::from);
    let npy = Tensor::<u32, Ix2>::read_npy(directory.join("labels.npy")).unwrap();
    assert_eq!(npy.view().unwrap(), tiff);
    let bin = fs::read(directory.join(format!("{stem}_segmentation.bin"))).unwrap();
    assert_eq!(npy.as_bytes().unwrap(), bin);
    tiff
}

#[test]
fn the_default_run_writes_everything_and_copies_nothing() {
    let out = tempfile::tempdir().unwrap();
    let run = host([OsStr::new("--out"), out.path().as_os_str()]);
    run.assert_complete();
    for way in ["returned", "in-place", "raw"] {
        let words: Vec<_> = run.line(way).split_whitespace().collect();
        assert_eq!(
            words[words.len() - 6..words.len() - 2],
            ["1.50", "MiB", "0", "B"]
        );
        for precision in &words[words.len() - 2..] {
            assert!(precision.parse::<f64>().unwrap() >= 0.75, "{words:?}");
        }
    }
    assert_eq!(
        run.line("labels"),
        "labels    equal in all ways, pixel by pixel"
    );
    let (expected, n) = found(nuclei().0.view());
    assert_eq!(labels_in(out.path(), "image"), expected);
    let table = fs::read_to_string(out.path().join("objects.csv")).unwrap();
    assert_eq!(table.lines().count(), n + 1);
    let picture = image::open(out.path().join("overlay.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (1024, 1024));
}

#[test]
fn one_way_alone_will_do() {
    let out = tempfile::tempdir().unwrap();
    let coins = bundled("coins.png");
    for mode in ["returned", "in-place", "raw"] {
        let arguments = ["--mode", mode, "--image"].map(OsStr::new);
        let out = [OsStr::new("--out"), out.path().as_os_str()];
        let run = host(arguments.into_iter().chain([coins.as_os_str()]).chain(out));
        run.assert_complete();
        assert!(run.line(mode).contains("0 B"));
        assert!(!run.out.contains("AP@"), "there is no truth: {}", run.out);
    }
    assert_eq!(labels_in(out.path(), "coins"), found(load(&coins).view()).0);
}

#[test]
fn an_image_that_cannot_be_read_is_named_with_the_reason() {
    let images = BadImages::new();
    for mode in ["returned", "in-place", "raw"] {
        for (name, reason) in [
            (
                "missing.tif",
                "cannot open {}: No such file or directory (os error 2)",
            ),
            ("truncated.tif", "{} is cut short, it ends after 60 bytes"),
            ("rgb.tif", "{} has 3 channels (RGB), convert it to grey"),
            (
                "float.tif",
                "{} has 32-bit floating point pixels, convert it to 8- or 16-bit integers",
            ),
        ] {
            let (path, out) = (images.path(name), images.path("out"));
            let run = host([
                OsStr::new("--mode"),
                OsStr::new(mode),
                OsStr::new("--image"),
                path.as_os_str(),
                OsStr::new("--out"),
                out.as_os_str(),
            ]);
            assert_eq!(run.code, Some(1));
            let reason = reason.replace("{}", &path.display().to_string());
            assert_eq!(run.err, format!("error: {reason}\n"), "{mode}");
            assert!(!out.exists(), "nothing is written");
        }
    }
}

#[test]
fn a_broken_image_does_not_stop_the_others() {
    let images = BadImages::new();
    let out = images.path("out");
    let (image, coins) = (bundled("nuclei/image.tif"), bundled("coins.png"));
    let truncated = images.path("truncated.tif");
    let run = host([
        OsStr::new("--workers"),
        OsStr::new("2"),
        OsStr::new("--out"),
        out.as_os_str(),
        OsStr::new("--image"),
        image.as_os_str(),
        truncated.as_os_str(),
        coins.as_os_str(),
        image.as_os_str(),
    ]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.err, "error: 1 image failed, see above\n");
    assert!(
        run.out.contains("3 of 4 images segmented by 2 workers in"),
        "{}",
        run.out
    );
    let failed = run
        .out
        .lines()
        .find(|line| line.contains("FAILED"))
        .unwrap();
    assert!(failed.ends_with("truncated.tif is cut short, it ends after 60 bytes"));
    let expected = found(nuclei().0.view()).0;
    assert_eq!(labels_in(&out.join("image"), "image"), expected);
    assert_eq!(labels_in(&out.join("image-2"), "image"), expected);
    assert_eq!(
        labels_in(&out.join("coins"), "coins"),
        found(load(&coins).view()).0
    );
    assert!(!out.join("truncated").exists());
}

#[test]
fn a_crash_in_the_middle_of_a_batch_costs_one_image_a_second_try() {
    let run = host(["--crash"]);
    run.assert_complete();
    for fact in [
        "call      nuclei::segment_into in worker",
        "error     WorkerDied: it was killed by signal 11 (SIGSEGV: ",
        "printed   \"raising SIGSEGV, as asked\"",
        "poisoned  yes; a view of the labels is refused",
        "replaced  by process",
    ] {
        assert!(run.out.contains(fact), "no `{fact}` in\n{}", run.out);
    }
    assert_eq!(
        run.line("done"),
        "done      8 of 8 images, 1 lost and done again; all labels as computed in this process"
    );
    assert_eq!(
        run.line("left"),
        "left      0 child processes, 0 new names in /dev/shm, 0 open and 0 mapped segments"
    );
}

#[test]
fn a_mosaic_is_summed_by_both_calls() {
    let run = host(["--mosaic", "8MiB"]);
    run.assert_complete();
    assert!(
        run.line("mosaic")
            .contains("2048 x 2048 pixels of 16 bits, 8.00 MiB")
    );
    for row in ["copied", "shared", "ratio"] {
        run.line(row);
    }
    assert_eq!(run.line("sums"), "sums      equal");
}

#[test]
fn a_mosaic_of_no_use_is_refused_with_what_to_do() {
    for (size, message) in [
        (
            "100B",
            "a mosaic of 100 B is too small; take 1.00 KiB or more",
        ),
        (
            "16GiB",
            "a mosaic of 16.0 GiB is too large for the copying call, whose messages end at 4 GiB; \
             take 3GiB or less",
        ),
    ] {
        let run = host(["--mosaic", size]);
        assert_eq!(run.code, Some(1));
        assert_eq!(run.err, format!("error: {message}\n"));
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    for arguments in [
        &["--mosaic", "2GB"][..],
        &["--mosaic", "8MiB", "--crash"],
        &["--mosaic", "8MiB", "--image", "a.tif", "b.tif"],
        &["--image", "a.tif", "b.tif", "--truth", "c.tif"],
        &["--workers", "0"],
        &["--mode", "telepathy"],
    ] {
        let run = host(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(run.err.starts_with("error: "), "{}", run.err);
    }
}

#[test]
fn a_missing_worker_is_an_error_that_says_how_to_build_it() {
    let directory = tempfile::tempdir().unwrap();
    let alone = directory.path().join("host");
    // Another process copies it: what another test forks meanwhile would hold the file open for
    // writing, and then it can't be run.
    let copy = [Path::new(env!("CARGO_BIN_EXE_host")), &alone];
    assert!(Command::new("cp").args(copy).status().unwrap().success());
    let run = run(&alone, ["--mode", "raw"]);
    assert_eq!(run.code, Some(1));
    let worker = directory.path().join("worker");
    let message = format!(
        "error: the program {} isn't there; `cargo demo`",
        worker.display()
    );
    assert!(run.err.starts_with(&message), "{}", run.err);
}
