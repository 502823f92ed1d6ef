//! What may be accessed by two processes at once: elements that fit an atomic of std.

use std::fmt::Debug;
use std::sync::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering,
};

use crate::tensor::Element;

/// A value that two processes may read and write at once: the integers up to 64 bits, `bool`,
/// `f32` and `f64` (by their bits).
///
/// The trait is sealed. Its functions are std's, on the atomic that holds the value's bits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be shared by two processes at once",
    label = "not atomic",
    note = "a `SharedCell` holds an integer of up to 64 bits, a `bool`, an `f32` or an `f64`"
)]
pub trait Atomic: Element {
    /// std's atomic with the value's bits.
    type Cell: Debug + Send + Sync + 'static;

    /// Reads the value.
    fn load(cell: &Self::Cell, order: Ordering) -> Self;

    /// Writes the value.
    fn store(cell: &Self::Cell, value: Self, order: Ordering);

    /// Writes the value and returns the one before.
    fn swap(cell: &Self::Cell, value: Self, order: Ordering) -> Self;

    /// Writes `new` if the bits are those of `current` (for a `bool`, any that mean it); returns the
    /// value before, or, as an error, the one that is there instead.
    ///
    /// # Errors
    /// The value that is there.
    fn compare_exchange(
        cell: &Self::Cell,
        current: Self,
        new: Self,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Self, Self>;
}

/// An [`Atomic`] that counts.
pub trait AtomicInteger: Atomic + Ord {
    /// Adds, wrapping around; returns the value before.
    fn fetch_add(cell: &Self::Cell, value: Self, order: Ordering) -> Self;

    /// Subtracts, wrapping around; returns the value before.
    fn fetch_sub(cell: &Self::Cell, value: Self, order: Ordering) -> Self;

    /// Keeps the larger one; returns the value before.
    fn fetch_max(cell: &Self::Cell, value: Self, order: Ordering) -> Self;

    /// Keeps the smaller one; returns the value before.
    fn fetch_min(cell: &Self::Cell, value: Self, order: Ordering) -> Self;
}

macro_rules! atomics {
    ($($value:ty => $cell:ty, $to_bits:expr, $from_bits:expr, $exchange:expr;)*) => {$(
        impl Atomic for $value {
            type Cell = $cell;

            fn load(cell: &$cell, order: Ordering) -> Self {
                $from_bits(cell.load(order))
            }

            fn store(cell: &$cell, value: Self, order: Ordering) {
                cell.store($to_bits(value), order);
            }

            fn swap(cell: &$cell, value: Self, order: Ordering) -> Self {
                $from_bits(cell.swap($to_bits(value), order))
            }

            fn compare_exchange(
                cell: &$cell,
                current: Self,
                new: Self,
                success: Ordering,
                failure: Ordering,
            ) -> Result<Self, Self> {
                $exchange(cell, $to_bits(current), $to_bits(new), success, failure)
                    .map($from_bits)
                    .map_err($from_bits)
            }
        }

        const _: () = assert!(size_of::<$value>() == size_of::<$cell>());
        const _: () = assert!(align_of::<$cell>() <= size_of::<$value>());
    )*};
}

macro_rules! integers {
    ($($value:ty => $cell:ty;)*) => {
        atomics! { $(
            $value => $cell, std::convert::identity, std::convert::identity, <$cell>::compare_exchange;
        )* }
        $(impl AtomicInteger for $value {
            fn fetch_add(cell: &$cell, value: Self, order: Ordering) -> Self {
                cell.fetch_add(value, order)
            }

            fn fetch_sub(cell: &$cell, value: Self, order: Ordering) -> Self {
                cell.fetch_sub(value, order)
            }

            fn fetch_max(cell: &$cell, value: Self, order: Ordering) -> Self {
                cell.fetch_max(value, order)
            }

            fn fetch_min(cell: &$cell, value: Self, order: Ordering) -> Self {
                cell.fetch_min(value, order)
            }
        })*
    };
}

integers! {
    u8 => AtomicU8; u16 => AtomicU16; u32 => AtomicU32; u64 => AtomicU64;
    i8 => AtomicI8; i16 => AtomicI16; i32 => AtomicI32; i64 => AtomicI64;
}

atomics! {
    // Not an `AtomicBool`: the other process may write any byte.
    bool => AtomicU8, u8::from, |bits| bits != 0, exchange_flag;
    f32 => AtomicU32, f32::to_bits, f32::from_bits, AtomicU32::compare_exchange;
    f64 => AtomicU64, f64::to_bits, f64::from_bits, AtomicU64::compare_exchange;
}

/// As std's, but that all bytes which mean `true` are equal: who reads 7 as `true` and says so
/// would otherwise be refused for ever.
fn exchange_flag(
    cell: &AtomicU8,
    current: u8,
    new: u8,
    success: Ordering,
    failure: Ordering,
) -> Result<u8, u8> {
    cell.fetch_update(success, failure, |found| {
        (found.min(1) == current).then_some(new)
    })
}
