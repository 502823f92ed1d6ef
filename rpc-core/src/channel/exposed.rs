//! Arrays in memory that an untrusted worker may write at any moment.
//!
//! Nothing here refers to such memory: system calls copy into it and out of it. So what the host
//! reads is what was there at one moment, for each byte; what is checked is the copy, which nobody
//! else can reach; and pages that the worker takes away are zeros, and no signal.

use std::io;
use std::sync::Arc;

use ndarray::{ArrayRef, Dimension, Ix1};

use crate::segment::extent::Extent;
use crate::segment::pool::{self, Bytes};
use crate::segment::stranger::Stranger;
use crate::segment::{ShmExhausted, Shortage};
use crate::tensor::layout::CheckedLayout;
use crate::tensor::{Element, Tensor, pointer};

/// Elements that don't lie in one run are written so many bytes at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Elements with gaps between them are copied with the gaps, if those are no more than so many times
/// as long as the elements (and [`CHUNK_BYTES`]); otherwise one by one.
const GAPS: usize = 3;
/// A boundary of every element type.
const BOUNDARY: usize = 16;

/// A copy of an array, in row-major order, at the start of an exposed segment of its own.
#[derive(Debug)]
pub(crate) struct Exposed {
    extent: Arc<Extent>,
}

impl Exposed {
    /// Copies an array, for an untrusted worker to write.
    ///
    /// # Errors
    /// [`ShmExhausted`] if there is no memory for it.
    pub(crate) fn copy_of<A: Element, D: Dimension>(
        array: &ArrayRef<A, D>,
        stranger: Stranger,
    ) -> Result<Self, ShmExhausted> {
        let run = array.as_slice().map(pointer::bytes_of);
        let len = array.len().saturating_mul(size_of::<A>());
        let allocation = pool::allocate_exposed(stranger, len, run.unwrap_or_default())?;
        let exposed = Self {
            extent: allocation.extent,
        };
        let written = match run {
            Some(_) if allocation.bytes == Bytes::Written => Ok(()),
            Some(run) => exposed.extent.backing().write(0, run),
            None => exposed.write_each(array),
        };
        let unwritten = |error| ShmExhausted::new(len, Shortage::Reservation(error));
        written.map(|()| exposed).map_err(unwritten)
    }

    /// The bytes, of which the elements are the first.
    pub(crate) fn extent(&self) -> &Arc<Extent> {
        &self.extent
    }

    /// Copies the first bytes to memory of the caller's own.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn read(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.extent.backing().read(0, bytes)
    }

    fn write_each<A: Element, D: Dimension>(&self, array: &ArrayRef<A, D>) -> io::Result<()> {
        let (mut chunk, mut offset) = (Vec::with_capacity(CHUNK_BYTES), 0);
        let write = |chunk: &mut Vec<u8>, offset: &mut usize| {
            self.extent.backing().write(*offset, chunk)?;
            *offset += chunk.len();
            chunk.clear();
            io::Result::Ok(())
        };
        for element in array {
            chunk.extend_from_slice(pointer::bytes_of(std::slice::from_ref(element)));
            if chunk.len() >= CHUNK_BYTES {
                write(&mut chunk, &mut offset)?;
            }
        }
        write(&mut chunk, &mut offset)
    }
}

/// Copies the elements of `layout`, which was checked against the length of `extent`, to memory of
/// this process's own. They have the same strides there, unless they lie far apart.
///
/// # Errors
/// [`ShmExhausted`] if there is no memory for them, or the kernel doesn't give them.
pub(crate) fn copy_out(
    extent: &Extent,
    layout: &CheckedLayout,
) -> Result<(Arc<Extent>, CheckedLayout), ShmExhausted> {
    let (bytes, size_bytes) = (layout.bytes(), layout.size_bytes());
    let first = bytes.start / BOUNDARY * BOUNDARY;
    let unread = |error| ShmExhausted::new(size_bytes, Shortage::Reservation(error));
    if bytes.len().saturating_sub(size_bytes) > GAPS.saturating_mul(size_bytes).max(CHUNK_BYTES) {
        let packed = layout.packed();
        let mut copy = Tensor::<u8, Ix1>::uninit(size_bytes)?;
        read_each(extent, layout, bytes_of(&mut copy)).map_err(unread)?;
        return Ok((Arc::clone(copy.located().extent()), packed));
    }
    let mut copy = Tensor::<u8, Ix1>::uninit(bytes.end - first)?;
    let start = extent.range().start + first;
    extent
        .backing()
        .read(start, bytes_of(&mut copy))
        .map_err(unread)?;
    let layout = layout.clone().moved_down(first);
    Ok((Arc::clone(copy.located().extent()), layout))
}

/// Copies the elements one by one, in row-major order.
fn read_each(extent: &Extent, layout: &CheckedLayout, into: &mut [u8]) -> io::Result<()> {
    let start = extent.range().start;
    let places = layout.offsets();
    for (place, into) in places.zip(into.chunks_exact_mut(layout.dtype().size_bytes())) {
        extent.backing().read(start + place, into)?;
    }
    Ok(())
}

/// The bytes of a tensor that nobody else has seen yet.
fn bytes_of(tensor: &mut Tensor<u8, Ix1>) -> &mut [u8] {
    match tensor.located_mut().bytes_of_run_mut() {
        Ok(bytes) => bytes,
        Err(error) => unreachable!("a new tensor is not leased: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::backing::Backing;
    use crate::segment::extent::Tenure;
    use crate::tensor::DType;
    use crate::tensor::layout::Layout;
    use crate::tensor::pointer::Located;
    use ndarray::{Array1, Array2, Ix2, array, s};
    use std::ops::Range;

    /// The tenure of a segment that goes with its tenant.
    struct Once;

    impl Tenure for Once {
        fn end(&self, _: &Arc<Backing>, _: &Range<usize>) {}
    }

    #[test]
    fn arrays_of_any_strides_are_copied_in_and_nothing_else() {
        let stranger = Stranger::new();
        let matrix = Array1::from_iter(0..60_000u32);
        let matrix = matrix.into_shape_with_order((300, 200)).unwrap();
        for view in [matrix.view(), matrix.t(), matrix.slice(s![..;-3, 7..;2])] {
            let exposed = Exposed::copy_of(&view, stranger).unwrap();
            let mut all = vec![1; exposed.extent().len()];
            exposed.read(&mut all).unwrap();
            let expected: Vec<u8> = view.iter().flat_map(|n| n.to_le_bytes()).collect();
            let (elements, behind) = all.split_at(expected.len());
            assert_eq!(elements, expected);
            assert!(behind.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn elements_are_copied_out_whatever_their_strides() {
        let source = Array1::from_iter(0..200_000u32);
        let exposed = Exposed::copy_of(&source, Stranger::new()).unwrap();
        for (offset, shape, strides) in [
            (0, [4, 5], [5, 1]),
            (7, [4, 5], [5, 1]),
            (100, [4, 5], [1, 4]),
            (100_000, [3, 3], [-7, 2]),
            (100_000, [2, 3], [50_000, -1]),
            (199_999, [0, 3], [9, 9]),
        ] {
            let claimed = Layout {
                offset_bytes: 4 * offset,
                shape: shape.map(|n: usize| n as u64).as_slice().into(),
                strides: strides.as_slice().into(),
            };
            let layout = CheckedLayout::new(&claimed, DType::U32, 800_000, true).unwrap();
            let (extent, layout) = copy_out(exposed.extent(), &layout).unwrap();
            let tensor = Tensor::<u32, Ix2>::from_located(Located::new(extent, &layout).unwrap());
            let expected = Array2::from_shape_fn(shape, |(row, column)| {
                offset as i64 + row as i64 * strides[0] + column as i64 * strides[1]
            });
            assert_eq!(tensor.view().unwrap().mapv(i64::from), expected);
            let len = tensor.located().extent().len();
            assert!(len < 100_000, "{shape:?} took {len} bytes");
        }
    }

    #[test]
    fn pages_that_were_taken_away_are_zeros() {
        let backing = Backing::create(8192, crate::segment::Segments::Memfd).unwrap();
        backing.write(0, &[5; 8192]).unwrap();
        let flags = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(backing.fd().unwrap(), flags, 0, 4096).unwrap();
        let extent = Extent::new(Arc::new(backing), 0..8192, Once);
        let claimed = Layout {
            offset_bytes: 4095,
            shape: [2].as_slice().into(),
            strides: [1].as_slice().into(),
        };
        let layout = CheckedLayout::new(&claimed, DType::U8, 8192, true).unwrap();
        let (extent, layout) = copy_out(&extent, &layout).unwrap();
        let copy = Tensor::<u8, Ix1>::from_located(Located::new(extent, &layout).unwrap());
        assert_eq!(copy.view().unwrap(), array![0, 5]);
    }
}
