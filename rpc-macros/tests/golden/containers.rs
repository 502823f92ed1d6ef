/// Works on many arrays at once.
pub mod stacks {
    use std::collections::BTreeMap;

    use ndarray::{Array2, ArrayView2, Ix2};
    use reedbed::Tensor;

    /// Adds images up.
    pub fn add(#[ndarray] images: Vec<ArrayView2<'_, u16>>) -> Vec<Array2<u16>> {
        unreachable!("only expanded, never run")
    }

    #[returns(ndarray)]
    pub fn name(
        #[ndarray] masks: BTreeMap<String, Option<Tensor<bool, Ix2>>>,
        #[ndarray] channels: [Image<'_>; 3],
    ) -> Result<BTreeMap<String, (Labels, usize)>, Error> {
        unreachable!("only expanded, never run")
    }
}
