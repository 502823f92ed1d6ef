/// Why there is no result.
#[derive(Bundle)]
pub enum SegmentError {
    Empty,
    Ambiguous {
        #[ndarray]
        candidates: Option<Tensor<u32, Ix2>>,
        n_objects: usize,
    },
    Within(#[ndarray] Box<SegmentError>),
}
