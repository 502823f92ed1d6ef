//! Each image that can't be read is refused with an error that names the file and what was found.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::error::Error;
use std::path::PathBuf;

use ndarray::Array2;
use segmentation::input::{ImageSource, InputError};

use common::bundled;
use common::tiff_file::TiffFile;

/// Writes a file and returns the error of opening and reading it, which must name the file.
fn refusal(name: &str, bytes: &[u8]) -> InputError {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let error = open_and_read(path).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    error
}

fn open_and_read(path: PathBuf) -> Result<(), InputError> {
    let mut source = ImageSource::open(path)?;
    let mut image = Array2::zeros(source.shape());
    source.read_into(image.view_mut())
}

/// Checks the message after the file's name.
#[track_caller]
fn assert_ends(error: &InputError, end: &str) {
    assert!(error.to_string().ends_with(end), "{error}");
}

fn tiff(change: impl Fn(&mut TiffFile)) -> Vec<u8> {
    let mut file = TiffFile::new(8, 8);
    change(&mut file);
    file.bytes(|row, column| u16::try_from(row * column).unwrap())
}

fn png(color: png::ColorType, depth: png::BitDepth, row_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(vec![0; 12]);
    }
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&vec![0; 8 * row_bytes])
        .unwrap();
    bytes
}

#[test]
fn a_missing_file() {
    let error = open_and_read("no/such/cells.tif".into()).unwrap_err();
    assert_eq!(error.to_string(), "cannot open no/such/cells.tif");
    let source = error
        .source()
        .unwrap()
        .downcast_ref::<std::io::Error>()
        .unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_directory() {
    let error = open_and_read(bundled("nuclei")).unwrap_err();
    assert!(matches!(error, InputError::Open { .. }), "{error}");
}

#[test]
fn not_an_image() {
    let error = refusal("cells.txt", b"hello, world");
    assert_ends(
        &error,
        "is neither a TIFF nor a PNG, it starts with [68, 65, 6c, 6c, 6f, 2c, 20, 77]",
    );
}

#[test]
fn an_empty_file() {
    assert_ends(
        &refusal("cells.tif", b""),
        "is neither a TIFF nor a PNG, it starts with []",
    );
}

#[test]
fn a_truncated_tiff() {
    for (compression, what) in [
        (1, "plain"),
        (8, "deflate"),
        (5, "LZW"),
        (32773, "PackBits"),
    ] {
        let whole = tiff(|file| file.compression = compression);
        // The directory is at the end: without it there is nothing but the header.
        let error = refusal("cells.tif", &whole[..whole.len() / 2]);
        let end = format!(
            "cells.tif is cut short, it ends after {} bytes",
            whole.len() / 2
        );
        assert_ends(&error, &end);
        // A strip that ends early, in a file that doesn't.
        let error = refusal(
            "cells.tif",
            &tiff(|file| {
                file.compression = compression;
                file.lies = vec![(279, 9)];
            }),
        );
        let refused = matches!(
            error,
            InputError::Truncated { .. } | InputError::Implausible { .. }
        );
        assert!(refused, "{what}: {error}");
    }
    let error = refusal("cells.tif", &tiff(|file| file.lies = vec![(273, 5000)]));
    assert!(matches!(error, InputError::Truncated { .. }), "{error}");
}

#[test]
fn a_truncated_png() {
    let bytes = std::fs::read(bundled("coins.png")).unwrap();
    for len in [20, 1000, 5000, bytes.len() - 2000] {
        let error = refusal("coins.png", &bytes[..len]);
        assert_ends(
            &error,
            &format!("coins.png is cut short, it ends after {len} bytes"),
        );
    }
}

#[test]
fn a_damaged_png() {
    let mut bytes = std::fs::read(bundled("coins.png")).unwrap();
    bytes[5000] ^= 0x55;
    let error = refusal("coins.png", &bytes);
    assert_ends(&error, "coins.png");
    assert!(error.to_string().starts_with("cannot decode "), "{error}");
    assert!(error.source().is_some());
}

#[test]
fn colours() {
    let error = refusal(
        "cells.tif",
        &tiff(|file| (file.photometric, file.channels) = (2, 3)),
    );
    assert_ends(&error, "cells.tif has 3 channels (RGB), convert it to grey");
    let error = refusal(
        "cells.png",
        &png(png::ColorType::Rgb, png::BitDepth::Eight, 24),
    );
    assert_ends(&error, "cells.png has 3 channels (RGB), convert it to grey");
    let error = refusal(
        "cells.png",
        &png(png::ColorType::Rgba, png::BitDepth::Eight, 32),
    );
    assert_ends(
        &error,
        "cells.png has 4 channels (RGB and alpha), convert it to grey",
    );
}

#[test]
fn grey_with_alpha() {
    let error = refusal("cells.tif", &tiff(|file| file.channels = 2));
    assert_ends(
        &error,
        "cells.tif has 2 channels (grey and others, such as alpha), convert it to grey",
    );
    let bytes = png(png::ColorType::GrayscaleAlpha, png::BitDepth::Sixteen, 32);
    let error = refusal("cells.png", &bytes);
    assert_ends(
        &error,
        "cells.png has 2 channels (grey and alpha), convert it to grey",
    );
}

#[test]
fn palettes() {
    let error = refusal("cells.tif", &tiff(|file| file.photometric = 3));
    assert_ends(
        &error,
        "cells.tif has 1 channel of palette colours, convert it to grey",
    );
    let error = refusal(
        "cells.png",
        &png(png::ColorType::Indexed, png::BitDepth::Eight, 8),
    );
    assert_ends(
        &error,
        "cells.png has 1 channel of palette colours, convert it to grey",
    );
}

#[test]
fn floating_point() {
    let error = refusal(
        "cells.tif",
        &tiff(|file| (file.bits, file.sample_format) = (32, 3)),
    );
    assert_ends(
        &error,
        "cells.tif has 32-bit floating point pixels, convert it to 8- or 16-bit integers",
    );
}

#[test]
fn signed_integers() {
    let error = refusal("cells.tif", &tiff(|file| file.sample_format = 2));
    assert_ends(
        &error,
        "cells.tif has 16-bit signed integer pixels, convert it to 8- or 16-bit integers",
    );
}

#[test]
fn other_bit_depths() {
    for bits in [1, 2, 4, 32] {
        let error = refusal("cells.tif", &tiff(|file| file.bits = bits));
        assert_ends(
            &error,
            &format!("has {bits} bits a pixel, convert it to 8 or 16"),
        );
    }
    for (depth, bits) in [
        (png::BitDepth::One, 1),
        (png::BitDepth::Two, 2),
        (png::BitDepth::Four, 4),
    ] {
        let error = refusal("cells.png", &png(png::ColorType::Grayscale, depth, bits));
        assert_ends(
            &error,
            &format!("has {bits} bits a pixel, convert it to 8 or 16"),
        );
    }
}

#[test]
fn unsupported_compression() {
    let error = refusal("cells.tif", &tiff(|file| file.compression = 7));
    assert_ends(
        &error,
        "cells.tif has compression 7, which is not supported",
    );
}

#[test]
fn absurd_dimensions_of_a_tiff() {
    for compression in [1, 5, 8, 32773] {
        let bytes = tiff(|file| {
            file.compression = compression;
            file.lies = vec![(256, 1 << 31), (257, 1 << 31), (278, u32::MAX)];
        });
        let error = refusal("cells.tif", &bytes);
        let end = format!(
            "cells.tif claims 2147483648 x 2147483648 pixels, more than its {} bytes can hold",
            bytes.len()
        );
        assert_ends(&error, &end);
    }
}

#[test]
fn strips_that_share_their_bytes() {
    // 200 rows claim the same row of the file: no file has fewer bytes than its plain pixels.
    let bytes = TiffFile {
        strip_rows: 1,
        ..TiffFile::new(200, 300)
    }
    .bytes(|_, _| 7);
    let directory = bytes.len() - (2 + 11 * 12 + 4);
    let offsets = directory - 2 * 200 * 4;
    let mut forged = bytes[..8 + 600].to_vec();
    forged.extend([8, 0, 0, 0].repeat(200));
    forged.extend(&bytes[offsets + 800..]);
    let moved = u32::try_from(offsets - 608).unwrap();
    let at = |n: usize| u32::from_le_bytes(bytes[n..n + 4].try_into().unwrap());
    let new_directory = forged.len() - (2 + 11 * 12 + 4);
    forged[4..8].copy_from_slice(&u32::try_from(new_directory).unwrap().to_le_bytes());
    for entry in 0..11 {
        let old = directory + 2 + entry * 12;
        let tag = at(old) & 0xFFFF;
        if tag == 273 || tag == 279 {
            let new = new_directory + 2 + entry * 12 + 8;
            forged[new..new + 4].copy_from_slice(&(at(old + 8) - moved).to_le_bytes());
        }
    }
    let error = refusal("cells.tif", &forged);
    assert!(
        error
            .to_string()
            .contains("claims 200 x 300 pixels, more than its"),
        "{error}"
    );
}

#[test]
fn absurd_dimensions_of_a_png() {
    let mut bytes = png(png::ColorType::Grayscale, png::BitDepth::Eight, 8);
    bytes[16..24].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let error = refusal("cells.png", &bytes);
    let end = format!(
        "cells.png claims 2147483647 x 2147483647 pixels, more than its {} bytes can hold",
        bytes.len()
    );
    assert_ends(&error, &end);
}

#[test]
fn a_destination_of_another_shape() {
    let mut source = ImageSource::open(bundled("coins.png")).unwrap();
    let error = source
        .read_into(Array2::zeros((384, 303)).view_mut())
        .unwrap_err();
    assert_ends(
        &error,
        "coins.png has 303 x 384 pixels, the destination 384 x 303",
    );
}

#[test]
fn no_cut_or_flipped_byte_does_harm() {
    let file = TiffFile {
        strip_rows: 3,
        compression: 5,
        ..TiffFile::new(8, 8)
    };
    let tiff = file.bytes(|row, column| u16::try_from(row * column).unwrap());
    let png = png(png::ColorType::Grayscale, png::BitDepth::Eight, 8);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    for bytes in [tiff, png] {
        for at in 0..bytes.len() {
            std::fs::write(&path, &bytes[..at]).unwrap();
            assert!(
                open_and_read(path.clone()).is_err() || at + 16 > bytes.len(),
                "cut at {at}"
            );
            for flip in [0x01, 0x80, 0xFF] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                std::fs::write(&path, &bytes).unwrap();
                // Whatever it says, it says it without a panic and without taking much memory.
                let _ = open_and_read(path.clone());
            }
        }
    }
}
