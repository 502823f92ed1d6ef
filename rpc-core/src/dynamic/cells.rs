//! Shared cells whose type only the program's run decides.

use std::fmt;
use std::sync::Arc;

use super::lent::{Elements, Lent};
use crate::segment::extent::Extent;
use crate::segment::shared::Shared;
use crate::segment::{Atomic, SharedCell, SharedCells};
use crate::tensor::DType;
use crate::tensor::layout::CheckedLayout;

/// A [`SharedCell`], or [`SharedCells`], of any type: what a function returned that was called
/// without a stub.
///
/// ```
/// use reedbed::{SharedCell, Worker, args, remote_module};
///
/// #[remote_module]
/// mod progress {
///     use super::*;
///
///     pub fn begin() -> Option<SharedCell<u32>> {
///         SharedCell::new(7).ok()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
/// use reedbed::dynamic::Value;
///
/// let worker = Worker::in_process(&[progress::MODULE]).await?;
/// let Value::Some(begun) = worker.call("progress", "begin", args![]).await? else {
///     return Err("there is no memory".into());
/// };
/// let Value::Cells(cells) = *begun else {
///     return Err("a cell is expected".into());
/// };
/// let n_done = cells.cell::<u32>().ok_or("one cell of u32 is expected")?;
/// assert_eq!(n_done.load(), 7);
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct AnyCells {
    extent: Arc<Extent>,
    /// In a box, so that a value is small.
    layout: Box<CheckedLayout>,
}

/// Runs a block with `$atomic` as the type that `$dtype` names, or another one if there are no cells
/// of it.
macro_rules! with_atomic {
    ($dtype:expr, $atomic:ident => $block:expr, else $otherwise:expr) => {
        with_atomic! { @each $dtype, $atomic => $block, else $otherwise;
            Bool bool, U8 u8, U16 u16, U32 u32, U64 u64, I8 i8, I16 i16, I32 i32, I64 i64, F32 f32,
            F64 f64
        }
    };
    (@each $dtype:expr, $atomic:ident => $block:expr, else $otherwise:expr;
        $($name:ident $ty:ty),*
    ) => {
        match $dtype {
            $(DType::$name => {
                type $atomic = $ty;
                $block
            })*
            _ => $otherwise,
        }
    };
}

impl AnyCells {
    /// Takes the cells of `layout`, which was checked against the length of `extent`, an extent that
    /// is marked. `None` if they can't be accessed atomically.
    pub(crate) fn new(extent: Arc<Extent>, layout: CheckedLayout) -> Option<Self> {
        let layout = Box::new(layout);
        let cells = Self { extent, layout };
        let dtype = cells.dtype();
        let are_atomic = with_atomic!(dtype, T => cells.shared::<T>().is_some(), else false);
        are_atomic.then_some(cells)
    }

    fn shared<T: Atomic>(&self) -> Option<Shared<T>> {
        Shared::new(Arc::clone(&self.extent), &self.layout)
    }

    /// Returns the type of the values.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.layout.dtype()
    }

    /// Tells whether it is a run of cells, and not a single one.
    #[must_use]
    pub fn is_list(&self) -> bool {
        !self.layout.shape().is_empty()
    }

    /// Returns the cell; `None` if it is of another type, or a run of cells.
    #[must_use]
    pub fn cell<T: Atomic>(&self) -> Option<SharedCell<T>> {
        let shared = self.shared().filter(|_| !self.is_list());
        shared.and_then(SharedCell::from_shared)
    }

    /// Returns the run of cells; `None` if it is of another type, or a single cell.
    #[must_use]
    pub fn cells<T: Atomic>(&self) -> Option<SharedCells<T>> {
        let shared = self.shared().filter(|_| self.is_list());
        shared.map(SharedCells::from_shared)
    }

    pub(super) fn elements(&self) -> Elements {
        let (dtype, is_list) = (self.dtype(), self.is_list());
        Elements::Cells { dtype, is_list }
    }

    /// Lends them on.
    pub(super) fn lent(&self) -> Lent<'static> {
        let lent = with_atomic!(self.dtype(), T => {
            let cells = self.cells::<T>().map(Lent::new);
            cells.or_else(|| self.cell::<T>().map(Lent::new))
        }, else None);
        lent.unwrap_or_else(|| unreachable!("the cells were checked when they came"))
    }
}

impl fmt::Debug for AnyCells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyCells")
            .field("dtype", &self.dtype())
            .field("shape", &self.layout.shape())
            .finish_non_exhaustive()
    }
}
