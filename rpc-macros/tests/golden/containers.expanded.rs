/// Works on many arrays at once.
pub mod stacks {
    use std::collections::BTreeMap;
    use ndarray::{Array2, ArrayView2, Ix2};
    use reedbed::Tensor;
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    /// Adds images up.
    pub fn add(images: Vec<ArrayView2<'_, u16>>) -> Vec<Array2<u16>> {
        unreachable!("only expanded, never run")
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    pub fn name(
        masks: BTreeMap<String, Option<Tensor<bool, Ix2>>>,
        channels: [Image<'_>; 3],
    ) -> Result<BTreeMap<String, (Labels, usize)>, Error> {
        unreachable!("only expanded, never run")
    }
    /// Calls the functions of `stacks` in a worker.
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
    /// Calls the functions of `stacks` in a worker and waits for each.
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
    /// What a worker serves of `stacks`.
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
        static METHOD_add: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "stacks",
            "add",
        );
        static METHOD_name: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "stacks",
            "name",
        );
        #[automatically_derived]
        impl ::reedbed::Stub for Client {
            const MODULE: &'static str = "stacks";
            fn schema() -> ::reedbed::schema::ModuleSchema {
                let mut functions = ::std::vec::Vec::new();
                {
                    ::reedbed::__private::assert_handle::<
                        'static,
                        Vec<ArrayView2<'static, u16>>,
                    >();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        Vec<Array2<u16>>,
                        ::reedbed::__private::kind::Each<
                            ::reedbed::__private::kind::Handle,
                        >,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new(
                                    "add",
                                    "Adds images up.",
                                )
                                .handle::<Vec<ArrayView2<'static, u16>>>("images")
                                .returns::<
                                    Vec<Array2<u16>>,
                                    ::reedbed::__private::kind::Each<
                                        ::reedbed::__private::kind::Handle,
                                    >,
                                >(),
                        );
                }
                {
                    ::reedbed::__private::assert_handle::<
                        'static,
                        BTreeMap<String, Option<Tensor<bool, Ix2>>>,
                    >();
                    ::reedbed::__private::assert_handle::<
                        'static,
                        [Image<'static>; 3],
                    >();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        Result<BTreeMap<String, (Labels, usize)>, Error>,
                        ::reedbed::__private::kind::Fallible<
                            ::reedbed::__private::kind::Each<
                                (
                                    ::reedbed::__private::kind::Handle,
                                    ::reedbed::__private::kind::Value,
                                ),
                            >,
                        >,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new("name", "")
                                .handle::<
                                    BTreeMap<String, Option<Tensor<bool, Ix2>>>,
                                >("masks")
                                .handle::<[Image<'static>; 3]>("channels")
                                .returns::<
                                    Result<BTreeMap<String, (Labels, usize)>, Error>,
                                    ::reedbed::__private::kind::Fallible<
                                        ::reedbed::__private::kind::Each<
                                            (
                                                ::reedbed::__private::kind::Handle,
                                                ::reedbed::__private::kind::Value,
                                            ),
                                        >,
                                    >,
                                >(),
                        );
                }
                ::reedbed::schema::ModuleSchema::new(
                    "stacks",
                    "Works on many arrays at once.",
                    functions,
                )
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
            /// Adds images up.
            pub fn add<'call>(
                &self,
                images: Vec<::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>>,
            ) -> ::reedbed::Call<
                'call,
                Vec<::reedbed::Tensor<u16, ::reedbed::ndarray::Ix2>>,
                ::core::convert::Infallible,
            > {
                ::reedbed::__private::assert_handle::<
                    'static,
                    Vec<ArrayView2<'static, u16>>,
                >();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Vec<Array2<u16>>,
                    ::reedbed::__private::kind::Each<::reedbed::__private::kind::Handle>,
                >;
                ::reedbed::__private::call::<
                    Vec<Array2<u16>>,
                    ::reedbed::__private::kind::Each<::reedbed::__private::kind::Handle>,
                >(
                    &self.caller,
                    &METHOD_add,
                    move |outgoing| {
                        outgoing
                            .handle::<
                                <Vec<
                                    ArrayView2<'call, u16>,
                                > as ::reedbed::__private::HandleArg<'call>>::Sent,
                            >("images", images);
                        outgoing.finish()
                    },
                )
            }
            /// Calls `name` in the worker.
            pub fn name<'call>(
                &self,
                masks: BTreeMap<String, ::core::option::Option<Tensor<bool, Ix2>>>,
                channels: [<Image<
                    'call,
                > as ::reedbed::__private::HandleArg<'call>>::Sent; 3],
            ) -> ::reedbed::Call<
                'call,
                BTreeMap<
                    String,
                    (
                        <Labels as ::reedbed::__private::Return<
                            ::reedbed::__private::kind::Handle,
                        >>::Value,
                        usize,
                    ),
                >,
                Error,
            > {
                ::reedbed::__private::assert_handle::<
                    'static,
                    BTreeMap<String, Option<Tensor<bool, Ix2>>>,
                >();
                ::reedbed::__private::assert_handle::<'static, [Image<'static>; 3]>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Result<BTreeMap<String, (Labels, usize)>, Error>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Each<
                            (
                                ::reedbed::__private::kind::Handle,
                                ::reedbed::__private::kind::Value,
                            ),
                        >,
                    >,
                >;
                ::reedbed::__private::call::<
                    Result<BTreeMap<String, (Labels, usize)>, Error>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Each<
                            (
                                ::reedbed::__private::kind::Handle,
                                ::reedbed::__private::kind::Value,
                            ),
                        >,
                    >,
                >(
                    &self.caller,
                    &METHOD_name,
                    move |outgoing| {
                        outgoing
                            .handle::<
                                <BTreeMap<
                                    String,
                                    Option<Tensor<bool, Ix2>>,
                                > as ::reedbed::__private::HandleArg<'static>>::Sent,
                            >("masks", masks);
                        outgoing
                            .handle::<
                                <[Image<
                                    'call,
                                >; 3] as ::reedbed::__private::HandleArg<'call>>::Sent,
                            >("channels", channels);
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
            /// Adds images up.
            pub fn add<'call>(
                &self,
                images: Vec<::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>>,
            ) -> ::core::result::Result<
                Vec<::reedbed::Tensor<u16, ::reedbed::ndarray::Ix2>>,
                ::reedbed::CallError<::core::convert::Infallible>,
            > {
                self.client.add(images).wait()
            }
            /// Calls `name` in the worker.
            pub fn name<'call>(
                &self,
                masks: BTreeMap<String, ::core::option::Option<Tensor<bool, Ix2>>>,
                channels: [<Image<
                    'call,
                > as ::reedbed::__private::HandleArg<'call>>::Sent; 3],
            ) -> ::core::result::Result<
                BTreeMap<
                    String,
                    (
                        <Labels as ::reedbed::__private::Return<
                            ::reedbed::__private::kind::Handle,
                        >>::Value,
                        usize,
                    ),
                >,
                ::reedbed::CallError<Error>,
            > {
                self.client.name(masks, channels).wait()
            }
        }
        fn serve_add(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_handle::<
                'static,
                Vec<ArrayView2<'static, u16>>,
            >();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Vec<Array2<u16>>,
                ::reedbed::__private::kind::Each<::reedbed::__private::kind::Handle>,
            >;
            let mut arguments = call.arguments();
            let images = arguments.handle::<Vec<ArrayView2<'_, u16>>>("images")?;
            arguments.finish()?;
            let returned = self::add(images);
            call.reply::<
                    Vec<Array2<u16>>,
                    ::reedbed::__private::kind::Each<::reedbed::__private::kind::Handle>,
                >(returned)
        }
        fn serve_name(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_handle::<
                'static,
                BTreeMap<String, Option<Tensor<bool, Ix2>>>,
            >();
            ::reedbed::__private::assert_handle::<'static, [Image<'static>; 3]>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Result<BTreeMap<String, (Labels, usize)>, Error>,
                ::reedbed::__private::kind::Fallible<
                    ::reedbed::__private::kind::Each<
                        (
                            ::reedbed::__private::kind::Handle,
                            ::reedbed::__private::kind::Value,
                        ),
                    >,
                >,
            >;
            let mut arguments = call.arguments();
            let masks = arguments
                .handle::<BTreeMap<String, Option<Tensor<bool, Ix2>>>>("masks")?;
            let channels = arguments.handle::<[Image<'_>; 3]>("channels")?;
            arguments.finish()?;
            let returned = self::name(masks, channels);
            call.reply::<
                    Result<BTreeMap<String, (Labels, usize)>, Error>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Each<
                            (
                                ::reedbed::__private::kind::Handle,
                                ::reedbed::__private::kind::Value,
                            ),
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
                            &METHOD_add,
                            ::reedbed::__private::Handler::Sync(serve_add),
                        ),
                    );
                functions
                    .push(
                        ::reedbed::__private::Function::new(
                            &METHOD_name,
                            ::reedbed::__private::Handler::Sync(serve_name),
                        ),
                    );
                functions
            }
        }
    };
}
