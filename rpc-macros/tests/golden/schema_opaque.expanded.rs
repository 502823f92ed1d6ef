#[automatically_derived]
impl<'a, T: Clone + ::reedbed::schema::Schema> ::reedbed::schema::Schema
for Wrapper<'a, T>
where
    T: Debug,
{
    fn describe(w: &mut ::reedbed::schema::SchemaWriter) {
        w.opaque("Wrapper", "2");
        w.opaque_parameters(|w| {
            w.field::<T>("T");
        });
    }
}
