//! Calls without a stub: [`Worker::call`](crate::Worker::call) for programs that know only at run
//! time what they call, such as a console, a workflow engine, or a binding for another language.
//!
//! A worker describes its modules ([`Worker::interfaces`](crate::Worker::interfaces)), and each
//! argument is checked against that description before anything is sent. The bytes are those that
//! the typed stub would send; leases, poisoning, deadlines and reports are the same, and arrays
//! aren't copied.
//!
//! ```
//! use reedbed::ndarray::{ArrayView1, Ix1, array};
//! use reedbed::{Schema, Tensor, Worker, args, remote_module};
//! use serde::{Deserialize, Serialize};
//!
//! #[remote_module]
//! mod filter {
//!     use super::*;
//!
//!     /// Keeps what lies within the limits.
//!     pub fn clip(#[ndarray] values: ArrayView1<'_, f64>, limits: Limits) -> Tensor<f64, Ix1> {
//!         Tensor::from(values.mapv(|value| value.clamp(limits.low, limits.high)))
//!     }
//! }
//!
//! #[derive(Serialize, Deserialize, Schema)]
//! pub struct Limits {
//!     low: f64,
//!     high: f64,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
//! use reedbed::dynamic::Value;
//!
//! let worker = Worker::in_process(&[filter::MODULE]).await?;
//! let values = Tensor::from(array![-1.0, 0.5, 7.0]);
//! let limits = Value::structure([("low", 0.0.into()), ("high", 1.0.into())]);
//!
//! let clipped = worker.call("filter", "clip", args![&values, limits]).await?;
//! let clipped = clipped.into_tensor::<f64, Ix1>()?;
//! assert_eq!(clipped.view()?, array![0.0, 0.5, 1.0]);
//!
//! let error = worker.call("filter", "clip", args!{ values: &values }).await.unwrap_err();
//! assert!(error.to_string().ends_with("argument `limits` is missing: struct Limits is expected"));
//! # Ok(()) }) }
//! ```

// Reading order: `types` is what a function takes and returns, `parse` reads it from a worker's
// text, and `interface` is all that a module has. `value` is what is passed and returned, `array`
// its arrays, `cells` its shared cells, `lent` what is only lent; `serialize` and `deserialize` lead from and to Rust's types.
// `arguments` are many values; `encode` checks and writes them, `decode` reads what came back;
// `mismatch` says what doesn't fit, and `place` where. `call` puts it together.

mod arguments;
mod array;
mod call;
mod cells;
mod decode;
mod deserialize;
mod encode;
mod interface;
mod lent;
mod mismatch;
mod parse;
#[cfg(feature = "internals")]
pub(crate) mod parts;
mod place;
mod serialize;
mod types;
mod value;

pub use arguments::Arguments;
pub use array::{AnyTensor, OtherTensor};
pub use call::DynamicCall;
pub use cells::AnyCells;
pub(crate) use interface::Interfaces;
pub use interface::{Interface, Parameter, Signature};
pub use lent::Lent;
pub use mismatch::Mismatch;
pub use types::{Access, Field, Type, Variant};
pub use value::{Encoded, Value, ValueError};
