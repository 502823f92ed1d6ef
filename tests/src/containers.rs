//! What the test worker serves of arrays in lists, maps and boxes.

use reedbed::remote_module;

/// Functions on many arrays at once.
#[remote_module]
pub mod stacks {
    use std::collections::{BTreeMap, HashMap};

    use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Ix1, Ix2};
    use reedbed::{Segment, SegmentView, Tensor, ndarray};

    /// Adds the elements of each array up.
    pub fn sums(#[ndarray] rows: Vec<ArrayView1<'_, i64>>) -> Vec<i64> {
        rows.iter().map(|row| row.sum()).collect()
    }

    /// Sets all elements of each array to the array's place.
    pub fn number(#[ndarray] rows: Vec<ArrayViewMut1<'_, u32>>) -> usize {
        let n = rows.len();
        for (place, mut row) in (0..).zip(rows) {
            row.fill(place);
        }
        n
    }

    /// Sets the first element of each array, and panics at the last one.
    pub fn panic_at_the_last(#[ndarray] rows: Vec<ArrayViewMut1<'_, u32>>) {
        for mut row in rows {
            row[0] = 7;
        }
        panic!("told to panic after all arrays");
    }

    /// Keeps the arrays; returns how many elements they have.
    pub fn take(#[ndarray] stack: Vec<Tensor<u16, Ix2>>) -> usize {
        stack.iter().map(Tensor::len).sum()
    }

    /// Keeps the arrays; returns how many there are.
    pub fn keep(#[ndarray] stack: Vec<Tensor<u32, Ix2>>) -> usize {
        stack.len()
    }

    /// Passes the arrays on, last first.
    pub fn turn(#[ndarray] mut stack: Vec<Tensor<u16, Ix2>>) -> Vec<Tensor<u16, Ix2>> {
        stack.reverse();
        stack
    }

    /// Makes `n` arrays of the heap; each has its place as its one element.
    pub fn singles(n: u32) -> Vec<Array1<u32>> {
        (0..n).map(|place| Array1::from_elem(1, place)).collect()
    }

    /// Mixes three channels, each weighted by what its name says.
    pub fn mix(
        #[ndarray] channels: [ArrayView1<'_, f32>; 3],
        #[ndarray] weights: HashMap<String, ArrayView1<'_, f32>>,
    ) -> Box<Array1<f32>> {
        let [red, green, blue] = channels;
        let weighted = |channel: ArrayView1<'_, f32>, name: &str| match weights.get(name) {
            Some(weight) => &channel * weight,
            None => channel.to_owned(),
        };
        Box::new(weighted(red, "red") + weighted(green, "green") + weighted(blue, "blue"))
    }

    /// Splits an image by value; there is nothing to split where it is empty.
    pub fn split(
        #[ndarray] image: ArrayView2<'_, u8>,
    ) -> Option<BTreeMap<u8, (Array2<bool>, usize)>> {
        let mut masks = BTreeMap::new();
        for value in &image {
            let (mask, n_pixels) = masks
                .entry(*value)
                .or_insert_with(|| (image.mapv(|other| other == *value), 0));
            debug_assert_eq!(mask.dim(), image.dim());
            *n_pixels += 1;
        }
        (!masks.is_empty()).then_some(masks)
    }

    /// A tile that may be missing. The macro sees the name alone.
    type Tile = Option<Box<Tensor<f64, Ix1>>>;

    /// Passes on what lies deep inside; returns an error where there is none of that name.
    pub fn pick(
        #[ndarray] mut tiles: BTreeMap<String, Vec<Tile>>,
        name: &str,
    ) -> Result<Vec<Option<Tensor<f64, Ix1>>>, String> {
        let tiles = tiles.remove(name).ok_or_else(|| name.to_owned())?;
        Ok(tiles
            .into_iter()
            .map(|tile| tile.map(|tile| *tile))
            .collect())
    }

    /// Joins segments.
    pub fn join(#[segment] parts: Vec<SegmentView<'_>>) -> [Segment; 1] {
        let bytes: Vec<_> = parts
            .iter()
            .flat_map(|part| part.as_bytes())
            .copied()
            .collect();
        let mut joined = Segment::zeroed(bytes.len()).expect("memory for the test");
        if let Ok(place) = joined.as_bytes_mut() {
            place.copy_from_slice(&bytes);
        }
        [joined]
    }
}
