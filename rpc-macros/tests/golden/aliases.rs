pub(crate) mod aliases {
    type Image<'a> = ndarray::ArrayView2<'a, u16>;
    type Labels = ndarray::Array2<u32>;
    type Result<T> = std::result::Result<T, super::Error>;

    #[returns(ndarray)]
    pub fn segment(#[ndarray] image: Image<'_>) -> Result<Labels> {
        super::segment(image)
    }

    pub fn send(#[segment] raw: SegmentView<'_>) -> Result<Option<Segment>> {
        Ok(None)
    }
}
