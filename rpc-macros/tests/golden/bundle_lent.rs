/// An image and where its labels go.
#[derive(Bundle)]
pub struct Pair<'a> {
    /// What is looked at.
    #[ndarray]
    pub image: ArrayView2<'a, u16>,
    #[ndarray]
    labels: Vec<ArrayViewMut2<'a, u32>>,
    threshold: u16,
}
