//! How much of the heap is in use: exactly, where what the kernel counts includes what lies free between
//! blocks in use, of which there is more the longer a process runs.

#![expect(unsafe_code, reason = "only an allocator sees what is allocated")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static BYTES: AtomicU64 = AtomicU64::new(0);

/// The bytes of the heap that this process has asked for and not given back.
#[must_use]
pub fn bytes() -> u64 {
    BYTES.load(Ordering::Relaxed)
}

/// The system's allocator, counting.
#[derive(Debug)]
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn take(len_bytes: usize) {
    BYTES.fetch_add(len_bytes as u64, Ordering::Relaxed);
}

fn give_back(len_bytes: usize) {
    BYTES.fetch_sub(len_bytes as u64, Ordering::Relaxed);
}

// SAFETY: every call is passed on unchanged to `System`, whose contract is the same; the counter
// doesn't allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        take(new_size);
        give_back(layout.size());
        // SAFETY: `pointer` came from `System` with this layout, by way of the methods here.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_counts_until_it_is_dropped() {
        let before = bytes();
        let block = vec![0u8; 64 << 20];
        let with = bytes();
        drop(block);
        let after = bytes();
        // Other tests take and give back a few kilobytes meanwhile.
        let most = 32 << 20;
        assert!(with > before + most && after < before + most);
    }
}
