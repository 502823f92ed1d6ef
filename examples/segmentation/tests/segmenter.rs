//! The service, in the real worker: set up once, it segments one image after the other.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use futures::executor::block_on;
use futures::future::join;
use ndarray::Array2;
use reedbed::{Tensor, Worker};
use segmentation::algorithm::Options;
use segmentation::segmenter::{SegmenterClient, SegmenterError};

use common::{found, nuclei};

fn worker() -> SegmenterClient {
    let worker = block_on(Worker::spawn(env!("CARGO_BIN_EXE_worker"))).unwrap();
    block_on(worker.import()).unwrap()
}

#[test]
fn one_segmenter_serves_many_images_at_once() {
    let client = worker();
    let (image, _) = nuclei();
    let (expected, n_expected) = found(image.view());
    let tensor = Tensor::from(image);
    let mut labels = Tensor::zeros((512, 512)).unwrap();
    block_on(async {
        let segmenter = client.new(Options::default()).await.unwrap();
        let (returned, in_place) = join(
            segmenter.segment(&tensor).forbid_copies().reported(),
            segmenter.segment_into(&tensor, &mut labels).forbid_copies(),
        )
        .await;
        let (returned, report) = returned.unwrap();
        assert_eq!(report.copied_bytes, 0);
        assert_eq!(returned.view().unwrap(), expected);
        assert_eq!(in_place.unwrap(), n_expected);
    });
    assert_eq!(labels.view().unwrap(), expected);
}

#[test]
fn a_series_has_objects_of_one_size() {
    let client = worker();
    let (image, _) = nuclei();
    let reference = Tensor::from(image);
    block_on(async {
        let options = Options::default();
        let segmenter = client.calibrated(&reference, options.clone()).await;
        let segmenter = segmenter.unwrap();
        let radius_px = segmenter.object_radius_px().await.unwrap().unwrap();
        let said = Options {
            object_radius_px: Some(radius_px),
            ..options
        };
        let other = client.new(said).await.unwrap();
        let labels = segmenter.segment(&reference).await.unwrap();
        let same = other.segment(&reference).await.unwrap();
        assert_eq!(labels.view().unwrap(), same.view().unwrap());
    });
}

#[test]
fn what_a_segmenter_cannot_be_set_up_with_is_said() {
    let client = worker();
    let odd = Options {
        contrast: 7.0,
        ..Options::default()
    };
    let error = block_on(client.new(odd)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the option `contrast` can't be 7; the nearest that it can be is 2"
    );
    let far = Options {
        object_radius_px: Some(f32::INFINITY),
        ..Options::default()
    };
    assert!(block_on(client.new(far)).is_err());
    let blank = Tensor::from(Array2::<u16>::zeros((64, 64)));
    let error = block_on(client.calibrated(&blank, Options::default())).unwrap_err();
    assert_eq!(error.into_returned().unwrap(), SegmenterError::NoObjects);
}
