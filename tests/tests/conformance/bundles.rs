//! Structs and enums with arrays among their fields.

use ndarray::{Array2, Ix1, Ix2, array};
use reedbed::{AccessError, CallError, FailureCause, Tensor};
use reedbed_tests::bundles::bundled;
use reedbed_tests::bundles::{JobArg, LabelError, Labelled, Origin, PairArg, Tree};
use reedbed_tests::setting::Setting;

use crate::{TestResult, import};

fn pair<'a>(image: &'a Tensor<u16, Ix2>, labels: &'a mut Tensor<u32, Ix2>) -> PairArg<'a> {
    PairArg {
        image: image.into(),
        labels: labels.into(),
        threshold: 5,
    }
}

fn image() -> Tensor<u16, Ix2> {
    Tensor::from(Array2::from_shape_fn((300, 200), |(row, _)| {
        if row < 100 { 9 } else { 1 }
    }))
}

pub(crate) async fn a_view_in_a_bundle_is_filled_in_place(setting: Setting) -> TestResult {
    let (_worker, bundles) = import::<bundled::Client>(setting).await?;
    let (image, mut labels) = (image(), Tensor::<u32, Ix2>::zeros((300, 200))?);
    let call = bundles.label(pair(&image, &mut labels));
    let (n, report) = setting.in_place(call).reported().await?;
    assert_eq!(n, 20_000);
    setting.check(&report, 300 * 200 * 6, 0);
    assert_eq!(labels.view()?[[99, 199]], 1);
    assert_eq!(labels.view()?.sum(), 20_000);

    // Arrays of the heap are copied, there and back.
    let (image, mut labels) = (array![[9u16, 1]], array![[0u32, 7]]);
    let pair = PairArg {
        image: (&image).into(),
        labels: (&mut labels).into(),
        threshold: 5,
    };
    let (n, report) = bundles.label(pair).reported().await?;
    assert_eq!((n, report.copied_bytes), (1, 4 + 2 * 8));
    assert_eq!(labels, array![[1, 0]]);
    let named = report.copies.iter().map(|copy| copy.argument.as_deref());
    let expected = [Some("pair.image"), Some("pair.labels"), Some("pair.labels")];
    assert!(named.eq(expected), "{report:?}");
    Ok(())
}

pub(crate) async fn an_enum_is_a_bundle(setting: Setting) -> TestResult {
    let (_worker, bundles) = import::<bundled::Client>(setting).await?;
    assert_eq!(bundles.work(JobArg::Nothing).await?, (0, None));
    let (image, mut labels) = (image(), Tensor::<u32, Ix2>::zeros((300, 200))?);
    let one = JobArg::One(pair(&image, &mut labels));
    assert_eq!(bundles.work(one).await?, (20_000, None));
    let mut other = Tensor::<u32, Ix2>::zeros((300, 200))?;
    let many = JobArg::Many {
        pairs: vec![
            Some(pair(&image, &mut labels)),
            None,
            Some(pair(&image, &mut other)),
        ],
        name: "many".to_owned(),
    };
    assert_eq!(bundles.work(many).await?, (40_000, Some("many".to_owned())));
    assert_eq!(other.view()?.sum(), 20_000);
    Ok(())
}

pub(crate) async fn a_bundle_is_returned_and_passed_on(setting: Setting) -> TestResult {
    let (_worker, bundles) = import::<bundled::Client>(setting).await?;
    let (labelled, report) = bundles.made(3).reported().await?;
    // What is made for the frame has no segment to be shared in.
    setting.check(&report, report.shared_bytes, 0);
    assert_eq!(labelled.labels.view()?, Array2::<u32>::from_elem((3, 2), 1));
    assert!(labelled.centres[1].is_none());
    let centre = labelled.centres[2].as_ref().expect("a centre");
    assert_eq!(centre.view()?, array![2.0, 2.0]);
    assert_eq!(labelled.notes.as_bytes()?, [0; 4]);
    let origin = Origin {
        author: "test".to_owned(),
        n_images: 3,
    };
    assert_eq!(labelled.origin, origin);

    let identity = labelled.labels.identity();
    let (labelled, report) = bundles.pass_on(labelled).reported().await?;
    setting.check(&report, report.shared_bytes, 0);
    assert!(setting.is_same(labelled.labels.identity(), identity));
    assert_eq!(labelled.labels.view()?.sum(), 12);

    let (many, none, n) = bundles.many(4).await?;
    assert!(none.is_none());
    let shapes: Vec<_> = many.iter().map(|one| one.labels.shape()[0]).collect();
    assert_eq!((shapes, n), (vec![0, 1, 2, 3], 4));
    Ok(())
}

pub(crate) async fn an_error_brings_an_array(setting: Setting) -> TestResult {
    let (_worker, bundles) = import::<bundled::Client>(setting).await?;
    let image = Tensor::from(Array2::from_elem((100, 100), true));
    assert_eq!(bundles.count(&image, 10_000).await?, 10_000);
    let (call, report) = (bundles.count(&image, 9), "10000 objects are too many");
    let Err(CallError::Returned(error)) = call.await else {
        panic!("the function's own error is expected");
    };
    assert_eq!(error.to_string(), report);
    let LabelError::TooMany { mut mask, .. } = error else {
        panic!("{error:?}");
    };
    // It is the caller's, like any array that was returned.
    mask.view_mut()?.fill(false);
    assert_eq!(bundles.count(&mask, 0).await?, 0);

    let empty = Tensor::<bool, Ix2>::from_elem((0, 3), true)?;
    let error = bundles.count(&empty, 0).await.expect_err("it is empty");
    assert!(
        matches!(error, CallError::Returned(LabelError::Empty)),
        "{error}"
    );
    Ok(())
}

pub(crate) async fn a_panic_poisons_a_view_in_a_bundle(setting: Setting) -> TestResult {
    let (_worker, bundles) = import::<bundled::Client>(setting).await?;
    let (image, mut labels) = (image(), Tensor::<u32, Ix2>::zeros((300, 200))?);
    let call = bundles.panic_after_labelling(pair(&image, &mut labels));
    assert!(call.await.is_err());
    assert!(image.view().is_ok());
    if !setting.capabilities().shares_memory {
        // It was a copy that the function wrote.
        assert_eq!(labels.view()?.sum(), 0);
        return Ok(());
    }
    let poisoned = labels.view().expect_err("the function panicked");
    assert!(
        matches!(poisoned, AccessError::Poisoned { .. }),
        "{poisoned}"
    );

    let call = bundles.label(pair(&image, &mut labels));
    let Err(CallError::Failed(failure)) = call.await else {
        panic!("the labels are poisoned");
    };
    let FailureCause::Access { argument, .. } = failure.cause() else {
        panic!("{failure}");
    };
    assert_eq!(argument, "pair.labels");
    labels.recover()?;
    assert_eq!(bundles.label(pair(&image, &mut labels)).await?, 20_000);
    Ok(())
}

pub(crate) async fn a_copy_in_a_bundle_can_be_forbidden(setting: Setting) -> TestResult {
    let (_worker, bundles) = import::<bundled::Client>(setting).await?;
    let (image, mut labels) = (image(), Array2::<u32>::zeros((300, 200)));
    let pair = PairArg {
        image: (&image).into(),
        labels: (&mut labels).into(),
        threshold: 5,
    };
    let Err(CallError::Failed(failure)) = bundles.label(pair).forbid_copies().await else {
        panic!("the labels would be copied");
    };
    let FailureCause::CopyForbidden { argument, .. } = failure.cause() else {
        panic!("{failure}");
    };
    let first = match setting.capabilities().shares_memory {
        true => "pair.labels",
        false => "pair.image",
    };
    assert_eq!(argument, first);
    Ok(())
}

pub(crate) async fn a_bundle_that_was_not_sent_comes_back_in_parts(setting: Setting) -> TestResult {
    let (_worker, bundles) = import::<bundled::Client>(setting).await?;
    let Labelled {
        labels,
        notes,
        origin,
        ..
    } = bundles.made(2).await?;
    // More arrays than the limit.
    let centre = |_| Tensor::<f64, Ix1>::zeros(1).map(Some);
    let centres = (0..1023).map(centre).collect::<Result<_, _>>()?;
    let labelled = Labelled {
        labels,
        centres,
        notes,
        origin,
    };
    let Err(CallError::Failed(mut failure)) = bundles.pass_on(labelled).await else {
        panic!("1025 arrays are too many");
    };
    let labels: Option<Tensor<u32, Ix2>> = failure.reclaim("labelled.labels");
    assert_eq!(labels.expect("it was not sent").view()?.sum(), 4);
    let centre: Option<Tensor<f64, Ix1>> = failure.reclaim("labelled.centres[1022]");
    assert!(centre.is_some());
    let notes: Option<reedbed::Segment> = failure.reclaim("labelled.notes");
    assert_eq!(notes.expect("it was not sent").len_bytes(), 3);
    Ok(())
}

pub(crate) async fn bundles_lie_inside_one_another(setting: Setting) -> TestResult {
    let (_worker, bundles) = import::<bundled::Client>(setting).await?;
    let leaf = |n| -> Result<_, reedbed::ShmExhausted> {
        Ok(Tree {
            piece: Tensor::from_elem(10, n)?,
            rest: Vec::new(),
        })
    };
    let mut tree = leaf(1)?;
    tree.rest = vec![leaf(2)?, leaf(3)?];
    assert_eq!(bundles.total(tree).await?, 60);

    // Each level is a list and a tree in it.
    let mut deep = leaf(0)?;
    for _ in 0..64 {
        let mut root = leaf(0)?;
        root.rest.push(deep);
        deep = root;
    }
    let error = bundles.total(deep).await.expect_err("it is too deep");
    let message = error.to_string();
    assert!(
        message.contains("more than 128 types lie inside one another"),
        "{message}"
    );
    assert!(error.is_retryable());
    Ok(())
}

pub(crate) async fn a_bundle_is_part_of_the_signature(setting: Setting) -> TestResult {
    let (worker, _) = import::<bundled::Client>(setting).await?;
    let module = worker.describe("bundled").await?.expect("it is served");
    let signature = |name: &str| {
        let function = module
            .functions
            .iter()
            .find(|function| function.name == name);
        function.expect("it is served").signature()
    };
    let pair = "struct Pair { image: read ndarray<u16, 2>, labels: write ndarray<u32, 2>, \
                threshold: u16 }";
    assert_eq!(signature("label"), format!("label(pair: {pair}) -> u32"));
    assert_eq!(
        signature("work"),
        format!(
            "work(job: enum Job {{ Nothing {{  }}, One {{ 0: {pair} }}, Many {{ pairs: \
             list<option<{pair}>>, name: string }} }}) -> tuple<u32, option<string>>"
        )
    );
    assert_eq!(
        signature("count"),
        "count(image: read ndarray<bool, 2>, n_at_most: u64) -> result<u64, enum LabelError { \
         Empty {  }, TooMany { mask: own ndarray<bool, 2>, n_objects: u64 } }>"
    );
    assert_eq!(
        signature("total"),
        "total(tree: struct Tree { piece: own ndarray<i64, 1>, rest: list<recursive 1> }) -> i64"
    );
    let labelled = "struct Labelled { labels: own ndarray<u32, 2>, centres: \
                    list<option<own ndarray<f64, 1>>>, notes: own segment, origin: struct Origin { \
                    author: string, n_images: u64 } }";
    assert_eq!(
        signature("pass_on"),
        format!("pass_on(labelled: {labelled}) -> {labelled}")
    );
    Ok(())
}
