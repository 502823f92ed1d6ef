use reedbed::remote_module;

#[remote_module]
mod m {
    pub fn of_a_type<T: Clone>(value: T) -> T {
        value
    }

    pub fn of_a_lifetime<'a>(#[ndarray] image: ndarray::ArrayView2<'a, u8>) -> usize {
        image.len()
    }

    pub fn of_a_length<const N: usize>(values: [u8; N]) -> usize {
        values.len()
    }

    pub fn with_a_clause(value: u8) -> u8
    where
        u8: Copy,
    {
        value
    }
}

fn main() {}
