//! Every form of function that `#[remote_module]` takes, called through its stub in one process.
//!
//! The lints are those that a careful application might deny: generated code sets none of them off.

#![deny(
    warnings,
    clippy::all,
    elided_lifetimes_in_paths,
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    unused_qualifications
)]

use std::error::Error;
use std::path::Path;

use futures::executor::block_on;
use ndarray::{Array, Array2, Axis, Ix0, Ix2, IxDyn, array};
use reedbed::{CallError, Segment, Stub, Tensor, Worker, blocking};
use serde::{Deserialize, Serialize};

/// A type of the surroundings, which `super::` reaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, reedbed::Schema)]
pub struct Options {
    /// What is counted lies above.
    pub threshold: u16,
}

/// Functions over arrays.
#[reedbed::remote_module]
pub mod arrays {
    use ndarray::{Array0, Array2, ArrayD, ArrayView1, ArrayView2, ArrayViewD, ArrayViewMut2, Ix2};
    use reedbed::Tensor;

    /// An image that is read.
    pub type Image<'a> = ArrayView2<'a, u16>;
    /// An image that is made.
    pub type Labels = Array2<u32>;
    /// What fails with a text.
    pub type Result<T> = std::result::Result<T, String>;

    /// Counts what lies above a threshold.
    pub fn count(#[ndarray] image: ArrayView2<'_, u16>, options: super::Options) -> usize {
        above(&image, options.threshold)
    }

    /// Counts, with the lifetime left out and the qualified name of the type.
    #[expect(
        elided_lifetimes_in_paths,
        unused_qualifications,
        reason = "they are what is tested"
    )]
    pub fn count_elided(#[ndarray] image: ndarray::ArrayView2<u16>) -> usize {
        above(&image, 0)
    }

    /// Fills an array in place.
    pub fn fill(#[ndarray] mut image: ArrayViewMut2<'_, u16>, value: u16) {
        image.fill(value);
    }

    /// Takes a tensor and gives it back; the alias names the same type.
    pub fn pass(#[ndarray] tensor: Tensor<u16, Ix2>) -> reedbed::Tensor2<u16> {
        tensor
    }

    /// Makes an array of any dimension.
    pub fn scale(#[ndarray] array: ArrayViewD<'_, f64>, factor: f64) -> ArrayD<f64> {
        &array * factor
    }

    /// Sums into an array without dimensions.
    pub async fn sum(#[ndarray] line: ArrayView1<'_, f64>) -> Array0<f64> {
        std::future::ready(()).await;
        ndarray::arr0(line.sum())
    }

    /// Takes arrays in an option and in a tuple.
    pub fn nested(
        #[ndarray] mask: Option<ArrayView2<'_, bool>>,
        #[ndarray] pair: (ArrayView1<'_, u8>, Option<ArrayViewMut2<'_, u16>>),
    ) -> (usize, Option<Array2<bool>>) {
        let (line, image) = pair;
        if let Some(mut image) = image {
            image += 1;
        }
        (line.len(), mask.map(|mask| !&mask))
    }

    /// Takes and returns aliases.
    ///
    /// # Errors
    /// If the image is empty.
    #[returns(ndarray)]
    pub fn label(#[ndarray] image: Image<'_>) -> Result<Labels> {
        if image.is_empty() {
            return Err("the image is empty".to_owned());
        }
        Ok(image.mapv(u32::from))
    }

    /// Returns nothing or an array or an error.
    ///
    /// # Errors
    /// If it is asked for one.
    pub fn maybe(ok: bool, some: bool) -> Result<Option<Array2<u8>>> {
        if ok {
            Ok(some.then(|| Array2::zeros((2, 3))))
        } else {
            Err("no".to_owned())
        }
    }

    fn above(image: &ArrayView2<'_, u16>, threshold: u16) -> usize {
        image.iter().filter(|&&value| value > threshold).count()
    }
}

mod values {
    //! Functions over everything else, in a private module whose inner documentation counts too.

    use std::borrow::ToOwned as Own;
    use std::path::{Path, PathBuf};

    /// Nested, so that the outer documentation is that of this module.
    #[reedbed::remote_module]
    pub(crate) mod inner {
        use super::{Own, Path, PathBuf};
        use crate::Options;

        // Names that the generated code uses for itself.
        pub(crate) type Function = u8;
        pub(crate) type Outcome = u16;
        pub(crate) const METHOD: u32 = 3;

        pub fn nothing() {}

        /// Takes everything that can be lent.
        pub fn lent(text: &str, path: &Path, bytes: &[u8], options: &Options) -> PathBuf {
            path.join(text)
                .join(format!("{}-{}", bytes.len(), options.threshold))
        }

        pub async fn lent_for_longer(text: &str, options: &Options) -> String {
            std::future::ready(()).await;
            text.repeat(usize::from(options.threshold))
        }

        /// Its arguments are named as variables in the generated code are.
        pub fn names(
            call: u8,
            arguments: u8,
            outgoing: u8,
            functions: u8,
            returned: u8,
        ) -> [u8; 5] {
            [call, arguments, outgoing, functions, returned]
        }

        pub const fn types(function: Function, outcome: Outcome) -> (Function, Outcome, u32) {
            (function, outcome, METHOD)
        }

        pub fn r#type(r#fn: Own_, mut count: u32) -> String {
            count += 1;
            format!("{fn}{count}", r#fn = r#fn.0.to_owned())
        }

        #[derive(Debug, serde::Serialize, serde::Deserialize, reedbed::Schema)]
        pub(crate) struct Own_(pub(crate) String);

        #[cfg(unix)]
        pub fn platform() -> String {
            "unix".to_owned()
        }

        #[cfg(not(unix))]
        pub fn platform(_unused: u8) -> u8 {
            0
        }

        #[deprecated = "there is `nothing`"]
        #[must_use = "it fails now and then"]
        pub fn odd(value: u32) -> Result<u32, Options> {
            if value % 2 == 1 {
                Ok(value)
            } else {
                Err(Options { threshold: 2 })
            }
        }

        // What isn't `pub` is nobody else's.
        #[expect(dead_code, reason = "it is not served")]
        fn serve_nothing<T: Own>(_private: (u8, impl Sized), value: &mut T) {
            let _ = value;
        }
    }
}

/// A module out of a macro by example.
macro_rules! adder {
    ($name:ident, $visibility:vis $number:ty, $view:ty) => {
        /// Adds.
        #[reedbed::remote_module]
        pub mod $name {
            /// Adds two numbers.
            $visibility fn add(x: $number, y: Option<$number>) -> $number {
                x + y.unwrap_or_default()
            }

            /// Counts elements.
            $visibility fn count(#[ndarray] view: $view) -> usize {
                view.len()
            }
        }
    };
}

adder!(adder, pub i64, ndarray::ArrayView1<'_, i64>);

/// Raw memory.
#[reedbed::remote_module]
pub mod raw {
    use reedbed::{Segment, SegmentView, SegmentViewMut};

    /// Copies bytes.
    pub fn copy(#[segment] from: SegmentView<'_>, #[segment] mut to: SegmentViewMut<'_>) -> usize {
        to.as_bytes().copy_from_slice(from.as_bytes());
        from.as_bytes().len()
    }

    /// Gives a segment back.
    pub fn pass(#[segment] segment: Segment) -> Option<Segment> {
        Some(segment)
    }
}

/// A client of a worker in this process.
fn import<C: Stub>() -> Result<C, Box<dyn Error>> {
    let modules = [
        arrays::MODULE,
        values::inner::MODULE,
        adder::MODULE,
        raw::MODULE,
    ];
    block_on(async { Ok(Worker::in_process(&modules).await?.import().await?) })
}

#[test]
fn arrays_are_read_and_written_in_place() -> Result<(), Box<dyn Error>> {
    let client = import::<arrays::Client>()?.blocking();
    let mut image = Tensor::from(array![[1_u16, 2, 3], [4, 5, 6]]);
    assert_eq!(client.count(&image, Options { threshold: 4 })?, 2);
    client.fill(&mut image, 7)?;
    assert_eq!(image.view()?, array![[7, 7, 7], [7, 7, 7]]);
    assert_eq!(client.count_elided(&image)?, 6);
    Ok(())
}

#[test]
fn ordinary_arrays_are_copied() -> Result<(), Box<dyn Error>> {
    let client = import::<arrays::Client>()?.blocking();
    let mut image = array![[1_u16, 2], [3, 4]];
    assert_eq!(client.count(&image, Options { threshold: 0 })?, 4);
    client.fill(image.slice_mut(ndarray::s![.., 0]).insert_axis(Axis(1)), 9)?;
    assert_eq!(image, array![[9, 2], [9, 4]]);
    Ok(())
}

#[test]
fn tensors_change_hands() -> Result<(), Box<dyn Error>> {
    let client = import::<arrays::Client>()?.blocking();
    let tensor = client.pass(Tensor::from(array![[1_u16, 2]]))?;
    assert_eq!(tensor.view()?, array![[1, 2]]);
    Ok(())
}

#[test]
fn any_dimension_and_none() -> Result<(), Box<dyn Error>> {
    let client = import::<arrays::Client>()?;
    let cube = Array::<f64, _>::ones((2, 2, 2)).into_dyn();
    let scaled: Tensor<f64, IxDyn> = client.scale(&cube, 3.0).wait()?;
    assert_eq!(scaled.view()?, &cube * 3.0);
    let sum: Tensor<f64, Ix0> = client.sum(&array![1.0, 2.0]).wait()?;
    assert_eq!(sum.view()?, ndarray::arr0(3.0));
    Ok(())
}

#[test]
fn options_and_tuples() -> Result<(), Box<dyn Error>> {
    let client = import::<arrays::Client>()?.blocking();
    let line = Tensor::from(array![1_u8, 2, 3]);
    let mut image = Tensor::from(array![[1_u16]]);
    let mask = array![[true, false]];
    assert_eq!(client.nested(None, ((&line).into(), None))?.0, 3);
    let (_, inverse) = client.nested(
        Some((&mask).into()),
        ((&line).into(), Some((&mut image).into())),
    )?;
    assert_eq!(inverse.ok_or("no mask")?.view()?, array![[false, true]]);
    assert_eq!(image.view()?, array![[2]]);
    Ok(())
}

#[test]
fn aliases() -> Result<(), Box<dyn Error>> {
    let client = import::<arrays::Client>()?.blocking();
    let image = Tensor::from(array![[1_u16, 2]]);
    let labels: Tensor<u32, Ix2> = client.label(&image).map_err(|error| format!("{error:?}"))?;
    assert_eq!(labels.view()?, array![[1, 2]]);
    let empty = Array2::<u16>::zeros((0, 0));
    assert!(
        matches!(client.label(&empty), Err(CallError::Returned(error)) if error == "the image is empty")
    );
    Ok(())
}

#[test]
fn results_of_options() -> Result<(), Box<dyn Error>> {
    let client = import::<arrays::Client>()?.blocking();
    assert!(matches!(client.maybe(true, true), Ok(Some(array)) if array.shape() == [2, 3]));
    assert!(matches!(client.maybe(true, false), Ok(None)));
    assert!(matches!(client.maybe(false, false), Err(CallError::Returned(error)) if error == "no"));
    Ok(())
}

#[test]
fn values_are_lent_and_owned() -> Result<(), Box<dyn Error>> {
    let client = import::<values::inner::Client>()?;
    let blocking = client.blocking();
    let options = Options { threshold: 2 };
    blocking.nothing()?;
    assert_eq!(
        blocking.lent("b", Path::new("a"), &[1, 2, 3], &options)?,
        Path::new("a/b/3-2")
    );
    assert_eq!(client.lent_for_longer("ab", &options).wait()?, "abab");
    assert_eq!(blocking.names(1, 2, 3, 4, 5)?, [1, 2, 3, 4, 5]);
    assert_eq!(blocking.types(1, 2)?, (1, 2, 3));
    assert_eq!(
        blocking.r#type(values::inner::Own_("x".to_owned()), 1)?,
        "x2"
    );
    assert_eq!(blocking.platform()?, "unix");
    Ok(())
}

#[test]
#[expect(deprecated, reason = "the stub is as deprecated as the function")]
fn the_functions_own_errors_come_back_as_themselves() -> Result<(), Box<dyn Error>> {
    let client = import::<values::inner::Client>()?.blocking();
    assert!(matches!(client.odd(3), Ok(3)));
    let returned = client.odd(4);
    assert!(matches!(
        returned,
        Err(CallError::Returned(Options { threshold: 2 }))
    ));
    Ok(())
}

#[test]
fn blocking_clients_are_imported_too() -> Result<(), Box<dyn Error>> {
    let worker = blocking::Worker::in_process(&[adder::MODULE])?;
    assert_eq!(worker.import::<adder::BlockingClient>()?.add(1, None)?, 1);
    Ok(())
}

#[test]
fn modules_out_of_macros() -> Result<(), Box<dyn Error>> {
    let client = import::<adder::Client>()?.blocking();
    assert_eq!(client.add(1, Some(2))?, 3);
    assert_eq!(client.count(&array![1_i64, 2])?, 2);
    Ok(())
}

#[test]
fn raw_memory() -> Result<(), Box<dyn Error>> {
    let client = import::<raw::Client>()?.blocking();
    let mut from = Segment::zeroed(4096)?;
    from.as_bytes_mut()?.fill(7);
    let mut to = Segment::zeroed(4096)?;
    assert_eq!(client.copy(&from, &mut to)?, 4096);
    assert_eq!(to.as_bytes()?, &[7; 4096]);
    assert!(client.pass(to)?.is_some());
    Ok(())
}

#[test]
fn calls_are_futures_that_can_be_spawned() -> Result<(), Box<dyn Error>> {
    fn is_spawnable(_: impl Future + Send + 'static) {}
    let client = import::<values::inner::Client>()?;
    is_spawnable(client.names(1, 2, 3, 4, 5));
    is_spawnable(async move {
        let _ = client.lent_for_longer("a", &Options { threshold: 1 }).await;
    });
    Ok(())
}
