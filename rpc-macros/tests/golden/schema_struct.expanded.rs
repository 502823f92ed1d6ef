#[automatically_derived]
impl<T: ::reedbed::schema::Schema, const N: usize> ::reedbed::schema::Schema
for Options<T, N> {
    fn describe(w: &mut ::reedbed::schema::SchemaWriter) {
        w.structure(
            "Options",
            |w| {
                let _ = &w;
                ::reedbed::schema::SchemaWriter::field::<f64>(w, "threshold");
                ::reedbed::schema::SchemaWriter::field::<Option<String>>(w, "type");
                ::reedbed::schema::SchemaWriter::field::<[T; N]>(w, "items");
            },
        );
    }
}
