//! The module, called in the real worker: all ways agree, nothing is copied, and errors arrive as
//! what they are.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::PathBuf;

use futures::executor::block_on;
use ndarray::{Array2, s};
use reedbed::{CallError, CopyReason, Segment, Tensor, Worker};
use segmentation::SegmentationError;
use segmentation::nuclei::{Client, Options};
use segmentation::score::score;
use segmentation::ways::{Called, Job, Segmented, Way};

use common::tiff_file::TiffFile;
use common::{bundled, found, nuclei};

/// The bytes of the bundled image and of its labels.
const IMAGE_BYTES: u64 = 512 * 512 * 2;
const LABEL_BYTES: u64 = 512 * 512 * 4;

fn worker() -> Client {
    let worker = block_on(Worker::spawn(env!("CARGO_BIN_EXE_worker"))).unwrap();
    block_on(worker.import()).unwrap()
}

/// Segments the bundled image twice.
fn segmented(nuclei: &Client, way: Way) -> (Called, Segmented) {
    let options = Options::default();
    let mut job = Job::prepare(way, &bundled("nuclei/image.tif")).unwrap();
    block_on(job.call(nuclei, &options)).unwrap();
    let called = block_on(job.call(nuclei, &options)).unwrap();
    (called, job.finish().unwrap())
}

#[test]
fn all_ways_agree_find_the_nuclei_and_copy_nothing() {
    let worker = worker();
    let (image, truth) = nuclei();
    let (expected, n_expected) = found(image.view());
    for way in Way::ALL {
        let (called, segmented) = segmented(&worker, way);
        assert_eq!(segmented.image.view().unwrap(), image, "{way}");
        let labels = segmented.labels.view().unwrap();
        assert_eq!(labels, expected, "{way}");
        assert_eq!(called.n_objects, n_expected, "{way}");
        let precision = score(truth.view(), labels, 0.5)
            .unwrap()
            .average_precision();
        assert!(precision >= 0.8, "{way}: {precision}");
        assert_eq!(called.report.copied_bytes, 0, "{way}");
        assert_eq!(
            called.report.shared_bytes,
            IMAGE_BYTES + LABEL_BYTES,
            "{way}"
        );
    }
}

#[test]
fn an_ordinary_array_is_copied_on_its_way_out_and_the_report_says_so() {
    let image = Tensor::from(nuclei().0);
    let call = worker().segment(&image, Options::default());
    let (labels, report) = call.reported().wait().unwrap();
    assert_eq!(labels.view().unwrap(), found(image.view().unwrap()).0);
    assert_eq!(report.shared_bytes, IMAGE_BYTES);
    assert_eq!(report.copied_bytes, LABEL_BYTES);
    assert_eq!(report.copies[0].reason, CopyReason::HeapReturned);
}

#[test]
fn a_part_of_an_image_is_shared_as_well() {
    let image = Tensor::from(nuclei().0);
    let part = s![100..356;1, ..;-1];
    let expected = found(image.view().unwrap().slice(part)).0;
    let mut labels = Tensor::zeros((256, 512)).unwrap();
    let nuclei = worker();
    let call = nuclei.segment_into(image.slice(part), Options::default(), &mut labels);
    let (_, report) = call.forbid_copies().reported().wait().unwrap();
    assert_eq!(labels.view().unwrap(), expected);
    assert_eq!(report.copied_bytes, 0);
}

#[test]
fn objects_are_measured_in_the_worker() {
    let worker = worker();
    let (_, Segmented { image, labels }) = segmented(&worker, Way::InPlace);
    let objects = worker.measure(&image, &labels).wait().unwrap();
    let (image, labels) = (image.view().unwrap(), labels.view().unwrap());
    assert_eq!(
        objects,
        segmentation::objects::measure(labels, image).unwrap()
    );
}

/// Returns the function's own error.
fn returned<T: std::fmt::Debug>(
    result: Result<T, CallError<SegmentationError>>,
) -> SegmentationError {
    result.unwrap_err().into_returned().unwrap()
}

#[test]
fn shapes_that_differ_are_told_apart() {
    let worker = worker();
    let image = Tensor::zeros((3, 5)).unwrap();
    let mut labels = Tensor::zeros((5, 3)).unwrap();
    let call = worker.segment_into(&image, Options::default(), &mut labels);
    let expected = SegmentationError::Shapes {
        image: (3, 5),
        labels: (5, 3),
    };
    assert_eq!(returned(call.wait()), expected);
    assert_eq!(
        expected.to_string(),
        "the image has 3 x 5 pixels and its labels 5 x 3; give both the same shape"
    );
    // What a function returns as its error doesn't poison what it could have written.
    assert!(!labels.is_poisoned());
}

#[test]
fn segments_of_other_bytes_than_their_shape_are_refused() {
    let worker = worker();
    let image = Segment::zeroed(3 * 5 * 2).unwrap();
    let mut labels = Segment::zeroed(3 * 5 * 4).unwrap();
    for (shape, message) in [
        (
            (3, 6),
            "the segment `image` has 30 bytes; 3 x 6 pixels are 36",
        ),
        (
            (1 << 63, 2),
            "the segment `image` has 30 bytes; 9223372036854775808 x 2 pixels are more than memory \
             holds",
        ),
    ] {
        let call = worker.segment_raw(&image, shape, Options::default(), &mut labels);
        assert_eq!(returned(call.wait()).to_string(), message);
    }
    let call = worker.segment_raw(&image, (3, 5), Options::default(), &mut labels);
    assert_eq!(call.wait().unwrap(), 0);
}

#[test]
fn an_image_that_the_worker_cannot_read_is_a_typed_error() {
    let worker = worker();
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let good = TiffFile::new(8, 8).bytes(|_, _| 7);
    let rgb = TiffFile {
        channels: 3,
        photometric: 2,
        ..TiffFile::new(8, 8)
    };
    let truncated = write("truncated.tif", &good[..60]);
    let rgb = write("rgb.tif", &rgb.bytes(|_, _| 7));
    let refusal = |path: &PathBuf| {
        let call = worker.segment_file(path.clone(), Options::default());
        returned(call.wait())
    };
    let missing = directory.path().join("missing.tif");
    assert!(matches!(
        refusal(&missing),
        SegmentationError::Unreadable { path, .. } if path == missing
    ));
    assert!(matches!(
        refusal(&truncated),
        SegmentationError::Truncated { path, len_bytes: 60, .. } if path == truncated
    ));
    assert!(matches!(
        refusal(&rgb),
        SegmentationError::Refused { path, .. } if path == rgb
    ));
}

#[test]
fn an_empty_image_has_no_objects() {
    let image = Tensor::<u16, _>::from(Array2::zeros((0, 7)));
    let labels = worker().segment(&image, Options::default()).wait().unwrap();
    assert_eq!(labels.shape(), [0, 7]);
}
