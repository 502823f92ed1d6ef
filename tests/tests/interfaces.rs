//! Interfaces: what a host knows of a worker that it isn't compiled with.

use reedbed::ndarray::{Array2, ArrayView2, array};
use reedbed::{ImportError, Schema, Stub, Tensor, Worker, remote_module};
use serde::{Deserialize, Serialize};

type TestResult = Result<(), Box<dyn std::error::Error>>;

#[derive(Debug, Serialize, Deserialize, Schema)]
struct Options {
    threshold: u16,
}

/// As the host knows it.
#[remote_module]
trait Nuclei {
    /// Labels the nuclei.
    fn segment(
        #[ndarray] image: ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Array2<u32>, String>;

    fn version() -> String;
}

/// As a worker serves it, which has never heard of the trait.
#[remote_module]
mod nuclei {
    use super::*;

    pub fn segment(
        #[ndarray] image: ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Array2<u32>, String> {
        Ok(image.mapv(|value| u32::from(value > options.threshold)))
    }

    pub async fn version() -> String {
        "1".to_owned()
    }

    /// More than the host asks for.
    pub fn more() {}
}

/// As a worker of another time serves it.
#[remote_module(name = "nuclei")]
mod newer {
    use super::*;

    pub fn segment(
        #[ndarray] image: ArrayView2<'_, f32>,
        options: Options,
    ) -> Result<Array2<u32>, String> {
        Ok(image.mapv(|value| u32::from(value > f32::from(options.threshold))))
    }
}

#[tokio::test]
async fn a_module_of_the_same_functions_will_do() -> TestResult {
    let worker = Worker::in_process(&[nuclei::MODULE]).await?;
    let client = worker.import::<NucleiClient>().await?;
    let image = Tensor::from(array![[1u16, 5], [7, 2]]);
    let labels = client.segment(&image, Options { threshold: 4 }).await?;
    assert_eq!(labels.view()?, array![[0u32, 1], [1, 0]].view());
    assert_eq!(client.version().await?, "1");
    Ok(())
}

#[test]
fn an_interface_has_the_schema_of_a_module() {
    let (mut ours, mut theirs) = (NucleiClient::schema(), nuclei::Client::schema());
    theirs.functions.retain(|function| function.name != "more");
    assert_eq!(ours.hash(), theirs.hash());
    assert_eq!(ours.functions[0].docs, "Labels the nuclei.");
    // But for what people read.
    ours.functions
        .iter_mut()
        .for_each(|function| function.docs.clear());
    theirs
        .functions
        .iter_mut()
        .for_each(|function| function.docs.clear());
    assert_eq!(ours.functions, theirs.functions);
}

#[tokio::test]
async fn another_argument_type_is_found_at_import() -> TestResult {
    let worker = Worker::in_process(&[newer::MODULE]).await?;
    let error = worker.import::<NucleiClient>().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "module `nuclei` of worker `in process` differs from the one this program was built with:\n    \
         this program calls `segment(image: read ndarray<u16, 2>, options: struct Options { \
         threshold: u16 }) -> result<own ndarray<u32, 2>, string>`, the worker serves \
         `segment(image: read ndarray<f32, 2>, options: struct Options { threshold: u16 }) -> \
         result<own ndarray<u32, 2>, string>`\n    \
         function `version` isn't served\n\
         make both sides' signatures agree; in Rust, build both from the same source"
    );
    assert!(matches!(error, ImportError::SchemaMismatch { .. }));
    Ok(())
}
