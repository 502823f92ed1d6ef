//! A module library: functions in a file that a worker loads at run time.
//!
//! Look at: there is no `main`; `export_modules!` is all that makes it a module library.

use reedbed::ndarray::ArrayView2;
use reedbed::remote_module;

reedbed_worker::export_modules![spots];

/// Bright spots in images.
#[remote_module]
pub mod spots {
    use super::ArrayView2;

    /// Counts the pixels that are brighter than all eight around them.
    pub fn count(#[ndarray] image: ArrayView2<'_, u16>) -> usize {
        let is_spot = |around: &ArrayView2<'_, u16>| {
            let centre = around[[1, 1]];
            around.iter().filter(|pixel| **pixel >= centre).count() == 1
        };
        image.windows((3, 3)).into_iter().filter(is_spot).count()
    }

    /// Returns the program that runs these functions, and the number of its process.
    pub fn process() -> (String, u32) {
        let program = std::env::args().next().unwrap_or_default();
        let (_, name) = program.rsplit_once('/').unwrap_or(("", &program));
        (name.to_owned(), std::process::id())
    }
}
