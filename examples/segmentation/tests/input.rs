//! Images of every supported kind are decoded to the values they were written with.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::PathBuf;

use ndarray::{Array2, s};
use segmentation::input::ImageSource;

use common::tiff_file::TiffFile;
use common::{bundled, load};

/// A pixel that differs from its neighbours in both bytes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is wanted"
)]
fn pixel(row: u32, column: u32) -> u16 {
    (row * 257 + column * 31 + row * column) as u16
}

/// What was written, 8-bit values widened.
fn expected(shape: (usize, usize), bits: u16) -> Array2<u16> {
    Array2::from_shape_fn(shape, |(row, column)| {
        let pixel = pixel(u32::try_from(row).unwrap(), u32::try_from(column).unwrap());
        if bits == 8 { pixel & 0xFF } else { pixel }
    })
}

fn write(directory: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = directory.path().join("image");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn tiffs_of_all_layouts_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let (rows, columns) = (45, 52);
    let mut n_files = 0;
    for bits in [8, 16] {
        for big_endian in [false, true] {
            for compression in [1, 5, 8, 32773] {
                for (tile, strip_rows) in [(None, 45), (None, 7), (None, 1), (Some((16, 32)), 0)] {
                    for predictor in [1, 2] {
                        let file = TiffFile {
                            bits,
                            big_endian,
                            compression,
                            tile,
                            strip_rows,
                            predictor,
                            ..TiffFile::new(rows, columns)
                        };
                        let path = write(&directory, &file.bytes(pixel));
                        assert_eq!(load(&path), expected((45, 52), bits), "{file:?}");
                        n_files += 1;
                    }
                }
            }
        }
    }
    assert_eq!(n_files, 128);
}

#[test]
fn a_tiff_with_zero_as_white_is_inverted() {
    let directory = tempfile::tempdir().unwrap();
    for (bits, max) in [(8, 255), (16, u16::MAX)] {
        let file = TiffFile {
            bits,
            photometric: 0,
            ..TiffFile::new(5, 6)
        };
        let path = write(&directory, &file.bytes(pixel));
        assert_eq!(
            load(&path),
            expected((5, 6), bits).mapv(|value| max - value)
        );
    }
}

#[test]
fn pngs_are_read() {
    let directory = tempfile::tempdir().unwrap();
    for (depth, bits) in [(png::BitDepth::Eight, 8), (png::BitDepth::Sixteen, 16)] {
        for filter in [
            png::Filter::NoFilter,
            png::Filter::Sub,
            png::Filter::Up,
            png::Filter::Avg,
            png::Filter::Paeth,
        ] {
            // Larger than the decompressor's window.
            let image = expected((300, 217), bits);
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, 217, 300);
            encoder.set_depth(depth);
            encoder.set_filter(filter);
            let plain: Vec<u8> = match bits {
                8 => image.iter().map(|value| value.to_le_bytes()[0]).collect(),
                _ => image.iter().flat_map(|value| value.to_be_bytes()).collect(),
            };
            encoder
                .write_header()
                .unwrap()
                .write_image_data(&plain)
                .unwrap();
            assert_eq!(
                load(&write(&directory, &bytes)),
                image,
                "{bits} bits, {filter:?}"
            );
        }
    }
}

/// Writes an interlaced PNG with 16 bits a pixel; the `png` crate's encoder writes none.
fn interlaced_png(image: &Array2<u16>) -> Vec<u8> {
    let passes: [(usize, usize, usize, usize); 7] = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ];
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    for (row, column, down, across) in passes {
        if row >= image.nrows() || column >= image.ncols() {
            continue;
        }
        for row in image.slice(s![row..;down, column..;across]).rows() {
            let line: Vec<u8> = row.iter().flat_map(|value| value.to_be_bytes()).collect();
            std::io::Write::write_all(&mut zlib, &[0]).unwrap();
            std::io::Write::write_all(&mut zlib, &line).unwrap();
        }
    }
    let mut header = Vec::new();
    header.extend(u32::try_from(image.ncols()).unwrap().to_be_bytes());
    header.extend(u32::try_from(image.nrows()).unwrap().to_be_bytes());
    header.extend([16, 0, 0, 0, 1]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", header),
        (b"IDAT", zlib.finish().unwrap()),
        (b"IEND", vec![]),
    ] {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(&data);
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(kind);
        bytes.extend(data);
        bytes.extend(crc.sum().to_be_bytes());
    }
    bytes
}

#[test]
fn interlaced_pngs_are_read() {
    let directory = tempfile::tempdir().unwrap();
    for shape in [(1, 1), (2, 3), (5, 2), (8, 8), (61, 43)] {
        let image = expected(shape, 16);
        let path = write(&directory, &interlaced_png(&image));
        assert_eq!(load(&path), image, "{shape:?}");
    }
}

#[test]
fn the_shape_is_known_before_the_pixels_are_read() {
    let source = ImageSource::open(bundled("coins.png")).unwrap();
    assert_eq!(source.shape(), (303, 384));
    assert_eq!(source.path(), bundled("coins.png"));
    let source = ImageSource::open(bundled("nuclei/image.tif")).unwrap();
    assert_eq!(source.shape(), (512, 512));
}

#[test]
fn the_destination_may_have_any_layout_and_be_filled_again() {
    for name in ["nuclei/image.tif", "coins.png"] {
        let image = load(&bundled(name));
        let mut source = ImageSource::open(bundled(name)).unwrap();
        let (n_rows, n_columns) = source.shape();

        let mut turned = Array2::zeros((n_columns, n_rows));
        source.read_into(turned.view_mut().reversed_axes()).unwrap();
        assert_eq!(turned.t(), image, "{name}");

        let mut spread = Array2::zeros((n_rows, 3 * n_columns));
        source
            .read_into(spread.slice_mut(s![..;-1, 1..;3]))
            .unwrap();
        assert_eq!(spread.slice(s![..;-1, 1..;3]), image, "{name}");
        assert!(
            spread.slice(s![.., ..;3]).iter().all(|&value| value == 0),
            "{name}"
        );
    }
}
