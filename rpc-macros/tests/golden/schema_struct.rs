#[serde(rename_all = "camelCase", default)]
pub struct Options<T, const N: usize> {
    pub threshold: f64,
    r#type: Option<String>,
    #[serde(skip)]
    cache: Cache,
    #[serde(rename = "i", default = "items")]
    items: [T; N],
}
