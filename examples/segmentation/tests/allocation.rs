//! Decoding needs little memory besides the caller's.
//!
//! One test only: the count is of the whole process.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;
use segmentation::algorithm::{Options, segment};
use segmentation::input::ImageSource;

use common::tiff_file::TiffFile;
use common::{bundled, nuclei};

/// The system's allocator, counting the bytes that are allocated.
struct Counting;

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to `System`, whose contract is the same; the counters
// don't allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE_BYTES.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK_BYTES.fetch_max(live, Ordering::SeqCst);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: `pointer` came from `alloc` above, that is from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the most bytes that were allocated at a time during a call, less those before.
fn peak_bytes(call: impl FnOnce()) -> usize {
    let before = LIVE_BYTES.load(Ordering::SeqCst);
    PEAK_BYTES.store(before, Ordering::SeqCst);
    call();
    PEAK_BYTES.load(Ordering::SeqCst) - before
}

/// Decodes an image, opening included, and checks the peak against a quarter of its pixels.
fn assert_lean(what: &str, path: &Path, destination: &mut Array2<u16>, strided: bool) {
    let image_bytes = size_of_val(destination.as_slice().unwrap());
    let peak = peak_bytes(|| {
        let mut source = ImageSource::open(path).unwrap();
        let mut view = destination.view_mut();
        if strided {
            view.invert_axis(ndarray::Axis(1));
        }
        source.read_into(view).unwrap();
    });
    assert!(
        4 * peak < image_bytes,
        "{what}: {peak} bytes for {image_bytes} bytes of pixels"
    );
}

#[test]
fn scratch_memory_is_a_fraction_of_the_image() {
    let mut destination = Array2::zeros((512, 512));
    let bundled_image = bundled("nuclei/image.tif");
    assert_lean("bundled TIFF", &bundled_image, &mut destination, false);
    assert_lean(
        "bundled TIFF, strided",
        &bundled_image,
        &mut destination,
        true,
    );

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let pixel = |row: u32, column: u32| u16::try_from((row * 7 + column * column) % 4099).unwrap();
    for bits in [8, 16] {
        for compression in [1, 5, 8, 32773] {
            for (tile, strip_rows) in [(None, 512), (None, 1), (Some((256, 512)), 0)] {
                let tiff = TiffFile {
                    bits,
                    compression,
                    tile,
                    strip_rows,
                    ..TiffFile::new(512, 512)
                };
                std::fs::write(&path, tiff.bytes(pixel)).unwrap();
                let what = format!("TIFF, {bits} bits, compression {compression}, tile {tile:?}");
                assert_lean(&what, &path, &mut destination, false);
            }
        }
    }

    for (depth, bytes) in [(png::BitDepth::Eight, 1), (png::BitDepth::Sixteen, 2)] {
        for (side, n) in [(512_u32, 512), (1024, 1024)] {
            let plain: Vec<u8> = (0..n * n * bytes)
                .map(|at| u8::try_from(at * at / 77 % 253).unwrap())
                .collect();
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, side, side);
            encoder.set_depth(depth);
            encoder
                .write_header()
                .unwrap()
                .write_image_data(&plain)
                .unwrap();
            std::fs::write(&path, file).unwrap();
            let mut destination = Array2::zeros((n, n));
            let what = format!("PNG, {depth:?}, {side} px");
            assert_lean(&what, &path, &mut destination, false);
        }
    }

    segmenting_in_tiles_needs_memory_for_a_tile();
}

/// Segments a mosaic in tiles and checks the peak against the tile's, not the mosaic's, pixels.
fn segmenting_in_tiles_needs_memory_for_a_tile() {
    let (image, _) = nuclei();
    let peak = |n: usize| {
        let mosaic =
            Array2::from_shape_fn((n * 512, 512), |(row, column)| image[(row % 512, column)]);
        let mut labels = Array2::zeros(mosaic.dim());
        let options = Options {
            tile_px: 256,
            object_radius_px: Some(12.0),
            ..Options::default()
        };
        peak_bytes(|| {
            segment(mosaic.view(), &options, labels.view_mut());
        })
    };
    let (two, four) = (peak(2), peak(4));
    assert!(
        four < two + two / 2,
        "{two} bytes for 2 images, {four} for 4"
    );
}
