/// What a stub takes where the function takes a [`Pair`].
#[allow(
    dead_code,
    missing_debug_implementations,
    unreachable_pub,
    reason = "generated: the caller may be elsewhere"
)]
pub struct PairArg<'call> {
    /// What is looked at.
    pub image: ::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>,
    labels: Vec<::reedbed::ArgMut<'call, u32, ::reedbed::ndarray::Ix2>>,
    threshold: u16,
}
#[allow(
    clippy::all,
    clippy::pedantic,
    deprecated,
    non_snake_case,
    unused_qualifications,
    reason = "generated: lints on the type itself say it all"
)]
const _: () = {
    #[automatically_derived]
    impl<'call> ::reedbed::__private::HandleArg<'call> for Pair<'call> {
        type Sent = PairArg<'call>;
        fn describe(writer: &mut ::reedbed::schema::SchemaWriter) {
            writer
                .structure(
                    "Pair",
                    |writer| {
                        writer.handle_field::<ArrayView2<'call, u16>>("image");
                        writer.handle_field::<Vec<ArrayViewMut2<'call, u32>>>("labels");
                        writer.field::<u16>("threshold");
                    },
                );
        }
        fn bind(
            argument: &str,
            incoming: &mut ::reedbed::__private::Incoming<'call>,
        ) -> ::core::result::Result<Self, ::reedbed::__private::Failure> {
            ::core::result::Result::Ok(Self {
                image: incoming
                    .handle::<
                        ArrayView2<'call, u16>,
                    >(&::reedbed::__private::part(argument, "image"))?,
                labels: incoming
                    .handle::<
                        Vec<ArrayViewMut2<'call, u32>>,
                    >(&::reedbed::__private::part(argument, "labels"))?,
                threshold: incoming
                    .value::<u16>(&::reedbed::__private::part(argument, "threshold"))?,
            })
        }
    }
    #[automatically_derived]
    impl<'call> ::reedbed::__private::SendArg<'call> for PairArg<'call> {
        fn send(
            self,
            argument: &str,
            outgoing: &mut ::reedbed::__private::Outgoing<'call>,
        ) -> ::core::result::Result<(), ::reedbed::__private::SendError> {
            let Self { image: field_0, labels: field_1, threshold: field_2 } = self;
            outgoing.handle(&::reedbed::__private::part(argument, "image"), field_0);
            outgoing.handle(&::reedbed::__private::part(argument, "labels"), field_1);
            outgoing.value(&::reedbed::__private::part(argument, "threshold"), &field_2);
            ::core::result::Result::Ok(())
        }
    }
};
