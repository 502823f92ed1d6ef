pub(crate) mod aliases {
    type Image<'a> = ndarray::ArrayView2<'a, u16>;
    type Labels = ndarray::Array2<u32>;
    type Result<T> = std::result::Result<T, super::Error>;
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    pub fn segment(image: Image<'_>) -> Result<Labels> {
        super::segment(image)
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    pub fn send(raw: SegmentView<'_>) -> Result<Option<Segment>> {
        Ok(None)
    }
    /// Calls the functions of `aliases` in a worker.
    ///
    /// Every method returns a future; [`Client::blocking`] gives the twin whose methods wait.
    #[allow(
        dead_code,
        unreachable_pub,
        reason = "generated: the other side may be elsewhere"
    )]
    #[derive(::core::clone::Clone, ::core::fmt::Debug)]
    pub struct Client {
        caller: ::reedbed::Caller,
    }
    /// Calls the functions of `aliases` in a worker and waits for each.
    ///
    /// The blocking twin of [`Client`].
    #[allow(
        dead_code,
        unreachable_pub,
        reason = "generated: the other side may be elsewhere"
    )]
    #[derive(::core::clone::Clone, ::core::fmt::Debug)]
    pub struct BlockingClient {
        client: Client,
    }
    /// What a worker serves of `aliases`.
    #[allow(
        dead_code,
        unreachable_pub,
        reason = "generated: the other side may be elsewhere"
    )]
    pub const MODULE: ::reedbed::Module = ::reedbed::Module::of::<Client>();
    #[allow(
        clippy::all,
        clippy::pedantic,
        dead_code,
        deprecated,
        elided_lifetimes_in_paths,
        non_snake_case,
        non_upper_case_globals,
        single_use_lifetimes,
        unreachable_pub,
        unused_mut,
        unused_qualifications,
        reason = "generated: lints on the functions themselves say it all"
    )]
    const _: () = {
        static METHOD_segment: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "aliases",
            "segment",
        );
        static METHOD_send: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "aliases",
            "send",
        );
        /// What can be passed where the worker's function takes `T`.
        pub trait __PassedAs<'a, T> {
            /// What is sent.
            fn sent(self) -> <T as ::reedbed::__private::HandleArg<'a>>::Sent
            where
                T: ::reedbed::__private::HandleArg<'a>;
        }
        impl<'a, T, P> __PassedAs<'a, T> for P
        where
            T: ::reedbed::__private::HandleArg<'a>,
            P: ::core::convert::Into<<T as ::reedbed::__private::HandleArg<'a>>::Sent>,
        {
            fn sent(self) -> <T as ::reedbed::__private::HandleArg<'a>>::Sent {
                ::core::convert::Into::into(self)
            }
        }
        /// What a `Result` is made of.
        pub trait __Outcome {
            /// What is in `Ok`.
            type Value;
            /// What is in `Err`.
            type Error;
        }
        impl<T, E> __Outcome for ::core::result::Result<T, E> {
            type Value = T;
            type Error = E;
        }
        #[automatically_derived]
        impl ::reedbed::Stub for Client {
            const MODULE: &'static str = "aliases";
            fn schema() -> ::reedbed::schema::ModuleSchema {
                let mut functions = ::std::vec::Vec::new();
                {
                    ::reedbed::__private::assert_handle::<'static, Image<'static>>();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        Result<Labels>,
                        ::reedbed::__private::kind::Fallible<
                            ::reedbed::__private::kind::Handle,
                        >,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new("segment", "")
                                .handle::<Image<'static>>("image")
                                .returns::<
                                    Result<Labels>,
                                    ::reedbed::__private::kind::Fallible<
                                        ::reedbed::__private::kind::Handle,
                                    >,
                                >(),
                        );
                }
                {
                    ::reedbed::__private::assert_handle::<
                        'static,
                        SegmentView<'static>,
                    >();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        Result<Option<Segment>>,
                        ::reedbed::__private::kind::Fallible<
                            ::reedbed::__private::kind::Optional<
                                ::reedbed::__private::kind::Handle,
                            >,
                        >,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new("send", "")
                                .handle::<SegmentView<'static>>("raw")
                                .returns::<
                                    Result<Option<Segment>>,
                                    ::reedbed::__private::kind::Fallible<
                                        ::reedbed::__private::kind::Optional<
                                            ::reedbed::__private::kind::Handle,
                                        >,
                                    >,
                                >(),
                        );
                }
                ::reedbed::schema::ModuleSchema::new("aliases", "", functions)
            }
            fn from_caller(caller: ::reedbed::Caller) -> Self {
                Self { caller }
            }
            fn caller(&self) -> &::reedbed::Caller {
                &self.caller
            }
        }
        #[automatically_derived]
        impl ::reedbed::BlockingStub for BlockingClient {
            type Async = Client;
            fn from_async(client: Client) -> Self {
                Self { client }
            }
            fn as_async(&self) -> &Client {
                &self.client
            }
        }
        impl Client {
            /// Calls `segment` in the worker.
            pub fn segment<'call>(
                &self,
                image: impl __PassedAs<'call, Image<'call>>,
            ) -> ::reedbed::Call<
                'call,
                <Labels as ::reedbed::__private::Return<
                    ::reedbed::__private::kind::Handle,
                >>::Value,
                <Result<Labels> as __Outcome>::Error,
            > {
                ::reedbed::__private::assert_handle::<'static, Image<'static>>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Result<Labels>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Handle,
                    >,
                >;
                let image = __PassedAs::<'call, Image<'call>>::sent(image);
                ::reedbed::__private::call::<
                    Result<Labels>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Handle,
                    >,
                >(
                    &self.caller,
                    &METHOD_segment,
                    move |outgoing| {
                        outgoing
                            .handle::<
                                <Image<
                                    'call,
                                > as ::reedbed::__private::HandleArg<'call>>::Sent,
                            >("image", image);
                        outgoing.finish()
                    },
                )
            }
            /// Calls `send` in the worker.
            pub fn send<'call>(
                &self,
                raw: impl ::core::convert::Into<::reedbed::SegmentArg<'call>>,
            ) -> ::reedbed::Call<
                'call,
                ::core::option::Option<Segment>,
                <Result<Option<Segment>> as __Outcome>::Error,
            > {
                ::reedbed::__private::assert_handle::<'static, SegmentView<'static>>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Result<Option<Segment>>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Optional<
                            ::reedbed::__private::kind::Handle,
                        >,
                    >,
                >;
                let raw = ::core::convert::Into::into(raw);
                ::reedbed::__private::call::<
                    Result<Option<Segment>>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Optional<
                            ::reedbed::__private::kind::Handle,
                        >,
                    >,
                >(
                    &self.caller,
                    &METHOD_send,
                    move |outgoing| {
                        outgoing
                            .handle::<
                                <SegmentView<
                                    'call,
                                > as ::reedbed::__private::HandleArg<'call>>::Sent,
                            >("raw", raw);
                        outgoing.finish()
                    },
                )
            }
            /// The blocking twin of this client.
            pub fn blocking(&self) -> BlockingClient {
                BlockingClient {
                    client: ::core::clone::Clone::clone(self),
                }
            }
        }
        impl BlockingClient {
            /// Calls `segment` in the worker.
            pub fn segment<'call>(
                &self,
                image: impl __PassedAs<'call, Image<'call>>,
            ) -> ::core::result::Result<
                <Labels as ::reedbed::__private::Return<
                    ::reedbed::__private::kind::Handle,
                >>::Value,
                ::reedbed::CallError<<Result<Labels> as __Outcome>::Error>,
            > {
                self.client.segment(image).wait()
            }
            /// Calls `send` in the worker.
            pub fn send<'call>(
                &self,
                raw: impl ::core::convert::Into<::reedbed::SegmentArg<'call>>,
            ) -> ::core::result::Result<
                ::core::option::Option<Segment>,
                ::reedbed::CallError<<Result<Option<Segment>> as __Outcome>::Error>,
            > {
                self.client.send(raw).wait()
            }
        }
        fn serve_segment(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_handle::<'static, Image<'static>>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Result<Labels>,
                ::reedbed::__private::kind::Fallible<::reedbed::__private::kind::Handle>,
            >;
            let mut arguments = call.arguments();
            let image = arguments.handle::<Image<'_>>("image")?;
            arguments.finish()?;
            let returned = self::segment(image);
            call.reply::<
                    Result<Labels>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Handle,
                    >,
                >(returned)
        }
        fn serve_send(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_handle::<'static, SegmentView<'static>>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Result<Option<Segment>>,
                ::reedbed::__private::kind::Fallible<
                    ::reedbed::__private::kind::Optional<
                        ::reedbed::__private::kind::Handle,
                    >,
                >,
            >;
            let mut arguments = call.arguments();
            let raw = arguments.handle::<SegmentView<'_>>("raw")?;
            arguments.finish()?;
            let returned = self::send(raw);
            call.reply::<
                    Result<Option<Segment>>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Optional<
                            ::reedbed::__private::kind::Handle,
                        >,
                    >,
                >(returned)
        }
        #[automatically_derived]
        impl ::reedbed::__private::Served for Client {
            fn functions() -> ::std::vec::Vec<::reedbed::__private::Function> {
                let mut functions = ::std::vec::Vec::new();
                functions
                    .push(
                        ::reedbed::__private::Function::new(
                            &METHOD_segment,
                            ::reedbed::__private::Handler::Sync(serve_segment),
                        ),
                    );
                functions
                    .push(
                        ::reedbed::__private::Function::new(
                            &METHOD_send,
                            ::reedbed::__private::Handler::Sync(serve_send),
                        ),
                    );
                functions
            }
        }
    };
}
