//! Covering a large array with copies of an image.

use std::path::Path;

use ndarray::{Array2, Axis, Ix2};
use reedbed::Tensor;
use segmentation::input::ImageSource;

use super::MosaicError;
use crate::Failure;

/// Makes a mosaic of `size` bytes, or what full rows make of it, out of an image.
pub(super) fn lay(image: &Path, size: u64) -> Result<Tensor<u16, Ix2>, Failure> {
    let mut source = ImageSource::open(image)?;
    let mut tile = Array2::zeros(source.shape());
    source.read_into(tile.view_mut())?;
    if tile.is_empty() {
        return Err(MosaicError::NoPixels.into());
    }
    let n_pixels = usize::try_from(size)? / size_of::<u16>();
    let mut mosaic = Tensor::uninit(shape(n_pixels))?;
    let mut rows = mosaic.view_mut()?;
    let tile_rows = (0..tile.nrows()).cycle();
    for (mut row, tile_row) in rows.rows_mut().into_iter().zip(tile_rows) {
        for mut part in row.axis_chunks_iter_mut(Axis(0), tile.ncols()) {
            let (fitting, _) = tile.row(tile_row).split_at(Axis(0), part.len());
            part.assign(&fitting);
        }
    }
    Ok(mosaic)
}

/// Returns rows and columns: about as many of the one as of the other, the columns a power of two.
fn shape(n_pixels: usize) -> (usize, usize) {
    let columns = 1 << (n_pixels.max(1).ilog2() / 2);
    (n_pixels / columns, columns)
}

#[cfg(test)]
mod tests {
    use segmentation::bundled;

    use super::*;

    #[test]
    fn the_usual_sizes_are_met_exactly() {
        assert_eq!(shape(1 << 30), (1 << 15, 1 << 15));
        assert_eq!(shape(1 << 25), (1 << 13, 1 << 12));
        assert_eq!(shape(50 << 19), (6400, 4096));
    }

    #[test]
    fn the_image_is_repeated_in_both_directions() {
        let mosaic = lay(&bundled::image(), 4 << 20).unwrap();
        let mosaic = mosaic.view().unwrap();
        assert_eq!(mosaic.dim(), (2048, 1024));
        for at in [(0, 0), (100, 511), (511, 3)] {
            for (down, across) in [(512, 0), (0, 512), (1536, 512)] {
                assert_eq!(mosaic[at], mosaic[(at.0 + down, at.1 + across)]);
            }
        }
    }
}
