use reedbed::remote_module;
use std::borrow::Cow;

#[remote_module]
mod m {
    use super::*;

    pub fn text() -> &'static str {
        "text"
    }

    pub fn part(text: &str) -> Option<&str> {
        text.get(1..)
    }

    pub fn lossy(text: &str) -> Cow<'_, str> {
        text.into()
    }
}

fn main() {}
