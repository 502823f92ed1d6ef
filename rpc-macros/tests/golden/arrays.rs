/// Finds nuclei.
pub mod segmentation {
    use ndarray::{Array2, ArrayView2, ArrayViewMut2, Ix2};
    use reedbed::Tensor;

    /// Labels the nuclei of an image.
    pub fn segment(
        #[ndarray] image: ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Array2<u32>, SegmentError> {
        label(&image, options)
    }

    /// Fills `labels` in place.
    pub fn segment_into(
        #[ndarray] image: ArrayView2<u16>,
        #[ndarray] mut labels: ArrayViewMut2<'_, u32>,
    ) -> usize {
        labels.fill(0);
        image.len()
    }

    pub fn crop(
        #[ndarray] image: Tensor<u16, Ix2>,
        #[ndarray] mask: Option<ArrayView2<'_, bool>>,
    ) -> (Tensor<u16, Ix2>, Option<Array2<bool>>, usize) {
        (image, None, 0)
    }

    fn label(image: &ArrayView2<'_, u16>, options: Options) -> Result<Array2<u32>, SegmentError> {
        unreachable!("only expanded, never run")
    }
}
