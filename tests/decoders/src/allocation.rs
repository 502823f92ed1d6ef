//! How much a decoder allocates.

#![expect(unsafe_code, reason = "only an allocator sees what is allocated")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED_BYTES: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what each thread allocates.
#[derive(Debug)]
pub struct Counting;

fn count(n_bytes: usize) {
    // A thread that is ending has no counter any more, and checks nothing.
    let _ = ALLOCATED_BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_add(n_bytes as u64)));
}

// SAFETY: every call is passed on unchanged to `System`, whose contract is the same; the counter
// doesn't allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: `pointer` came from `System` with this layout, by way of the methods here.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What a decoder may allocate besides what the bytes pay for: for an error's text, mostly.
const FREE_BYTES: u64 = 4096;

/// Decodes `len` bytes by `decode`, and checks that all it allocated, growing included, is no more
/// than `factor` bytes for each.
pub(crate) fn bounded<T>(len: usize, factor: u64, decode: impl FnOnce() -> T) -> T {
    let before = ALLOCATED_BYTES.get();
    let decoded = decode();
    let allocated = ALLOCATED_BYTES.get().wrapping_sub(before);
    assert!(
        allocated <= FREE_BYTES + factor * len as u64,
        "{allocated} bytes were allocated for {len}"
    );
    decoded
}
