//! What the test worker serves.

use reedbed::remote_module;

pub use crate::commands::control;
pub use crate::extremes::edges;
pub use crate::serialized::values;
use crate::services::{Counter, Keeper, Tally};
pub use crate::tensors::arrays;

macro_rules! element_modules {
    ($($module:ident => $element:ty),* $(,)?) => {
        $(
            /// Functions on arrays of one element type.
            #[remote_module]
            pub mod $module {
                use reedbed::Tensor;
                use reedbed::ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};

                /// Returns a copy.
                pub fn copy(#[ndarray] values: ArrayViewD<'_, $element>) -> ArrayD<$element> {
                    values.to_owned()
                }

                /// Copies element by element.
                pub fn copy_into(
                    #[ndarray] values: ArrayViewD<'_, $element>,
                    #[ndarray] mut target: ArrayViewMutD<'_, $element>,
                ) {
                    target.assign(&values);
                }

                /// Gives back what it was given, with its dimensions in reverse order.
                pub fn reverse(
                    #[ndarray] values: Tensor<$element, IxDyn>,
                ) -> Tensor<$element, IxDyn> {
                    values.reversed_axes()
                }
            }
        )*

        /// The modules of all element types.
        pub const ELEMENTS: &[reedbed::Module] = &[$($module::MODULE),*];
    };
}

element_modules! {
    of_bool => bool,
    of_u8 => u8, of_u16 => u16, of_u32 => u32, of_u64 => u64, of_u128 => u128,
    of_i8 => i8, of_i16 => i16, of_i32 => i32, of_i64 => i64, of_i128 => i128,
    of_f16 => half::f16, of_bf16 => half::bf16, of_f32 => f32, of_f64 => f64,
    of_c32 => num_complex::Complex32, of_c64 => num_complex::Complex64,
}

/// All modules that the test worker serves.
#[must_use]
pub fn all() -> Vec<reedbed::Module> {
    let mut modules = vec![arrays::MODULE, control::MODULE, values::MODULE];
    modules.push(crate::deaths::ends::MODULE);
    modules.push(crate::families::offspring::MODULE);
    modules.push(crate::shared::cells::MODULE);
    modules.push(crate::containers::stacks::MODULE);
    modules.push(crate::bundles::bundled::MODULE);
    modules.push(edges::MODULE);
    modules.extend_from_slice(ELEMENTS);
    modules.extend([Keeper::MODULE, Counter::MODULE]);
    modules
}
