//! Services in odd places and of odd types.

#![deny(warnings)]

use reedbed::blocking::Worker;
use reedbed::{Schema, Stub, remote_module};
use serde::{Deserialize, Serialize};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Seen by this file alone, although the type that takes it is `pub`.
#[derive(Clone, Serialize, Deserialize, Schema)]
struct Settings {
    step: u8,
}

/// What everyone may see.
pub mod public {
    use super::*;

    /// Two of something.
    #[derive(Debug)]
    pub struct Pair<A, B>(A, B);

    /// A service is called by this name, because the type itself has parameters.
    pub type StepPair = Pair<u8, u8>;

    #[remote_module]
    impl StepPair {
        #[allow(private_interfaces, reason = "the test is about the stubs")]
        /// Makes a pair.
        pub fn new(settings: &Settings) -> Self {
            Self(settings.step, 2 * settings.step)
        }

        /// Has a keyword for a name.
        pub fn r#type(&self, r#in: u8) -> u8 {
            self.0 + self.1 + r#in
        }

        /// Isn't there.
        #[cfg(any())]
        pub fn missing(&self, nothing: Nothing) -> Nothing {
            nothing
        }

        /// The variables of the generated code have these names.
        pub fn sum(&self, this: u8, call: u8, arguments: u8, returned: u8, outgoing: u8) -> u8 {
            this + call + arguments + returned + outgoing
        }
    }
}

#[test]
fn an_alias_is_a_name() -> TestResult {
    let worker = Worker::in_process(&[public::StepPair::MODULE])?;
    let client = worker.import::<public::BlockingStepPairClient>()?;
    let pair = client.new(&Settings { step: 3 })?;
    assert_eq!(pair.r#type(1)?, 10);
    assert_eq!(pair.sum(1, 2, 3, 4, 5)?, 15);
    let schema = public::StepPairClient::schema();
    assert_eq!(schema.name, "step_pair");
    let signatures: Vec<_> = schema.functions.iter().map(|f| f.signature()).collect();
    assert_eq!(
        signatures,
        [
            "new(settings: struct Settings { step: u8 }) -> instance",
            "sum(self: instance, this: u8, call: u8, arguments: u8, returned: u8, outgoing: u8) -> u8",
            "type(self: instance, in: u8) -> u8",
        ]
    );
    Ok(())
}

#[test]
fn a_service_may_be_local() -> TestResult {
    struct Local(u8);

    #[remote_module(name = "here")]
    impl Local {
        pub async fn new(value: u8) -> Result<Self, String> {
            Ok(Self(value))
        }

        pub async fn value(&self) -> u8 {
            self.0
        }
    }

    #[remote_module]
    impl Plain {
        pub fn double(value: u8) -> u8 {
            2 * value
        }
    }

    struct Plain;

    let _ = Plain;
    let worker = Worker::in_process(&[Plain::MODULE, Local::MODULE])?;
    assert_eq!(LocalClient::MODULE, "here");
    assert_eq!(worker.import::<BlockingLocalClient>()?.new(7)?.value()?, 7);
    assert_eq!(worker.import::<BlockingPlainClient>()?.double(4)?, 8);
    Ok(())
}
