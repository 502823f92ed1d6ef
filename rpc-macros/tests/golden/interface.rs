/// Segments nuclei.
pub(crate) trait CellNuclei {
    /// Begins.
    fn new(threshold: u16) -> Self;

    /// Labels the nuclei.
    #[reedbed(blocking)]
    fn segment(
        &self,
        #[ndarray] image: ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Array2<u32>, SegmentError>;

    async fn version(prefix: &str) -> String;
}
