//! The Laplacian of a smoothed plane, which is negative on blobs and changes sign on edges.

use ndarray::{Array2, ArrayView1};

/// Calls `visit` with the number and the Laplacian of each row.
///
/// The stencil is the isotropic one of nine points, `(1 4 1; 4 -20 4; 1 4 1) / 6`. Pixels beyond
/// the border repeat the nearest one inside. Needs memory for one row only.
pub(super) fn laplacian_rows(plane: &Array2<f32>, mut visit: impl FnMut(usize, &[f32])) {
    let (n_rows, n_columns) = plane.dim();
    let mut out = vec![0.0; n_columns];
    for row in 0..n_rows {
        let above = plane.row(row.saturating_sub(1));
        let here = plane.row(row);
        let below = plane.row((row + 1).min(n_rows - 1));
        for (column, out) in out.iter_mut().enumerate() {
            *out = laplacian(above, here, below, column);
        }
        visit(row, &out);
    }
}

/// Returns the Laplacian at one column. Opposite neighbours are added first, so that mirrored and
/// turned images give the same bits.
fn laplacian(
    above: ArrayView1<'_, f32>,
    here: ArrayView1<'_, f32>,
    below: ArrayView1<'_, f32>,
    column: usize,
) -> f32 {
    let left = column.saturating_sub(1);
    let right = (column + 1).min(here.len() - 1);
    let straight = (above[column] + below[column]) + (here[left] + here[right]);
    let diagonal = (above[left] + below[right]) + (above[right] + below[left]);
    (4.0 * straight + diagonal - 20.0 * here[column]) / 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paraboloid_has_its_constant_laplacian_inside() {
        let plane = Array2::from_shape_fn((9, 9), |(row, column)| {
            (row as f32 - 4.0).powi(2) + 2.0 * (column as f32 - 4.0).powi(2)
        });
        laplacian_rows(&plane, |row, values| {
            if (1..8).contains(&row) {
                assert!(values[1..8].iter().all(|value| (value - 6.0).abs() < 1e-4));
            }
        });
    }
}
