#[schema(opaque = "2")]
#[serde(try_from = "String", into = "String")]
pub struct Wrapper<'a, T: Clone>(Cow<'a, T>)
where
    T: Debug;
