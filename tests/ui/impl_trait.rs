use reedbed::remote_module;

#[remote_module]
mod m {
    pub fn takes(text: impl Into<String>) -> String {
        text.into()
    }

    pub fn returns() -> impl Iterator<Item = u8> {
        [1, 2, 3].into_iter()
    }
}

fn main() {}
