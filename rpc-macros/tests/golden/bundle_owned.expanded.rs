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
    impl<'call> ::reedbed::__private::HandleArg<'call> for SegmentError {
        type Sent = SegmentError;
        fn describe(writer: &mut ::reedbed::schema::SchemaWriter) {
            writer
                .enumeration(
                    "SegmentError",
                    |writer| {
                        writer.variant("Empty", |_| {});
                        writer
                            .variant(
                                "Ambiguous",
                                |writer| {
                                    writer
                                        .handle_field::<Option<Tensor<u32, Ix2>>>("candidates");
                                    writer.field::<usize>("n_objects");
                                },
                            );
                        writer
                            .variant(
                                "Within",
                                |writer| {
                                    writer.handle_field::<Box<SegmentError>>("0");
                                },
                            );
                    },
                );
        }
        fn bind(
            argument: &str,
            incoming: &mut ::reedbed::__private::Incoming<'call>,
        ) -> ::core::result::Result<Self, ::reedbed::__private::Failure> {
            match incoming.value::<u32>(argument)? {
                0u32 => ::core::result::Result::Ok(Self::Empty {}),
                1u32 => {
                    ::core::result::Result::Ok(Self::Ambiguous {
                        candidates: incoming
                            .handle::<
                                Option<Tensor<u32, Ix2>>,
                            >(
                                &::reedbed::__private::part(
                                    argument,
                                    "Ambiguous.candidates",
                                ),
                            )?,
                        n_objects: incoming
                            .value::<
                                usize,
                            >(
                                &::reedbed::__private::part(argument, "Ambiguous.n_objects"),
                            )?,
                    })
                }
                2u32 => {
                    ::core::result::Result::Ok(Self::Within {
                        0: incoming
                            .handle::<
                                Box<SegmentError>,
                            >(&::reedbed::__private::part(argument, "Within.0"))?,
                    })
                }
                other => {
                    ::core::result::Result::Err(
                        ::reedbed::__private::no_variant(argument, other),
                    )
                }
            }
        }
    }
    #[automatically_derived]
    impl<'call> ::reedbed::__private::SendArg<'call> for SegmentError {
        fn send(
            self,
            argument: &str,
            outgoing: &mut ::reedbed::__private::Outgoing<'call>,
        ) -> ::core::result::Result<(), ::reedbed::__private::SendError> {
            match self {
                Self::Empty {} => {
                    outgoing.value(argument, &0u32);
                }
                Self::Ambiguous { candidates: field_0, n_objects: field_1 } => {
                    outgoing.value(argument, &1u32);
                    outgoing
                        .handle(
                            &::reedbed::__private::part(
                                argument,
                                "Ambiguous.candidates",
                            ),
                            field_0,
                        );
                    outgoing
                        .value(
                            &::reedbed::__private::part(argument, "Ambiguous.n_objects"),
                            &field_1,
                        );
                }
                Self::Within { 0: field_0 } => {
                    outgoing.value(argument, &2u32);
                    outgoing
                        .handle(
                            &::reedbed::__private::part(argument, "Within.0"),
                            field_0,
                        );
                }
            }
            ::core::result::Result::Ok(())
        }
    }
    #[automatically_derived]
    impl ::reedbed::__private::Give<::reedbed::__private::kind::Handle>
    for SegmentError {
        type Received = Self;
        fn describe(writer: &mut ::reedbed::schema::SchemaWriter) {
            writer.handle_part::<Self>();
        }
        fn give(
            self,
            reply: &mut ::reedbed::__private::Reply,
        ) -> ::core::result::Result<(), ::reedbed::__private::Failure> {
            match self {
                Self::Empty {} => {
                    reply.value(&0u32)?;
                }
                Self::Ambiguous { candidates: field_0, n_objects: field_1 } => {
                    reply.value(&1u32)?;
                    <Option<
                        Tensor<u32, Ix2>,
                    > as ::reedbed::__private::Give<
                        ::reedbed::__private::kind::Optional<
                            ::reedbed::__private::kind::Handle,
                        >,
                    >>::give(field_0, reply)?;
                    reply.value(&field_1)?;
                }
                Self::Within { 0: field_0 } => {
                    reply.value(&2u32)?;
                    <Box<
                        SegmentError,
                    > as ::reedbed::__private::Give<
                        ::reedbed::__private::kind::Each<
                            ::reedbed::__private::kind::Handle,
                        >,
                    >>::give(field_0, reply)?;
                }
            }
            ::core::result::Result::Ok(())
        }
        fn receive(
            incoming: &mut ::reedbed::__private::Incoming<'_>,
        ) -> ::core::result::Result<Self, ::reedbed::__private::Failure> {
            incoming.handle("returned")
        }
    }
    #[automatically_derived]
    impl ::reedbed::__private::Give<::reedbed::__private::kind::Value> for SegmentError {
        type Received = Self;
        fn describe(writer: &mut ::reedbed::schema::SchemaWriter) {
            <Self as ::reedbed::__private::Give<
                ::reedbed::__private::kind::Handle,
            >>::describe(writer);
        }
        fn give(
            self,
            reply: &mut ::reedbed::__private::Reply,
        ) -> ::core::result::Result<(), ::reedbed::__private::Failure> {
            <Self as ::reedbed::__private::Give<
                ::reedbed::__private::kind::Handle,
            >>::give(self, reply)
        }
        fn receive(
            incoming: &mut ::reedbed::__private::Incoming<'_>,
        ) -> ::core::result::Result<Self, ::reedbed::__private::Failure> {
            <Self as ::reedbed::__private::Give<
                ::reedbed::__private::kind::Handle,
            >>::receive(incoming)
        }
    }
};
