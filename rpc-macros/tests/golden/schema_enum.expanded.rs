#[automatically_derived]
impl ::reedbed::schema::Schema for Shape {
    fn describe(w: &mut ::reedbed::schema::SchemaWriter) {
        w.enumeration(
            "Shape",
            |w| {
                w.variant(
                    "Empty",
                    |w| {
                        let _ = &w;
                    },
                );
                w.variant(
                    "Disk",
                    |w| {
                        let _ = &w;
                        ::reedbed::schema::SchemaWriter::field::<f32>(w, "0");
                    },
                );
                w.variant(
                    "Box",
                    |w| {
                        let _ = &w;
                        ::reedbed::schema::SchemaWriter::field::<f32>(w, "width");
                        ::reedbed::schema::SchemaWriter::field::<f32>(w, "height");
                    },
                );
            },
        );
    }
}
