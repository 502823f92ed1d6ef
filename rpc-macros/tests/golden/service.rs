/// Finds nuclei.
impl Detector {
    /// How many at most.
    pub const LIMIT: usize = 100;

    /// Loads the parameters once.
    pub fn new(parameters: &Parameters) -> Result<Self, LoadError> {
        Ok(Self(parameters.clone()))
    }

    pub async fn fetch(url: String) -> io::Result<Detector> {
        load(url).await
    }

    /// Detects.
    #[reedbed(blocking)]
    pub fn detect(&self, #[ndarray] image: ArrayView2<'_, u16>) -> Array2<u32> {
        detect(image, self.limit())
    }

    #[cfg(feature = "names")]
    pub async fn name(&self, index: u32) -> Option<String> {
        None
    }

    #[deprecated]
    pub fn version() -> String {
        String::new()
    }

    fn limit(&self) -> usize {
        Self::LIMIT
    }
}
