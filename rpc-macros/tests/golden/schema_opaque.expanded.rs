#[automatically_derived]
impl<'a, T: Clone + ::reedbed::schema::Schema> ::reedbed::schema::Schema
for Wrapper<'a, T>
where
    T: Debug,
{
    fn describe(w: &mut ::reedbed::schema::SchemaWriter) {
        w.structure(
            "Wrapper",
            |w| {
                w.opaque("Wrapper", "2");
                w.field::<T>("T");
            },
        );
    }
}
