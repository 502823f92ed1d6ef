/// Finds nuclei.
pub mod segmentation {
    use ndarray::{Array2, ArrayView2, ArrayViewMut2, Ix2};
    use reedbed::Tensor;
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    /// Labels the nuclei of an image.
    pub fn segment(
        image: ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Array2<u32>, SegmentError> {
        label(&image, options)
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    /// Fills `labels` in place.
    pub fn segment_into(
        image: ArrayView2<u16>,
        mut labels: ArrayViewMut2<'_, u32>,
    ) -> usize {
        labels.fill(0);
        image.len()
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    pub fn crop(
        image: Tensor<u16, Ix2>,
        mask: Option<ArrayView2<'_, bool>>,
    ) -> (Tensor<u16, Ix2>, Option<Array2<bool>>, usize) {
        (image, None, 0)
    }
    fn label(
        image: &ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Array2<u32>, SegmentError> {
        unreachable!("only expanded, never run")
    }
    /// Calls the functions of `segmentation` in a worker.
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
    /// Calls the functions of `segmentation` in a worker and waits for each.
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
    /// What a worker serves of `segmentation`.
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
            "segmentation",
            "segment",
        );
        static METHOD_segment_into: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "segmentation",
            "segment_into",
        );
        static METHOD_crop: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "segmentation",
            "crop",
        );
        #[automatically_derived]
        impl ::reedbed::Stub for Client {
            const MODULE: &'static str = "segmentation";
            fn schema() -> ::reedbed::schema::ModuleSchema {
                let mut functions = ::std::vec::Vec::new();
                {
                    ::reedbed::__private::assert_handle::<
                        'static,
                        ArrayView2<'static, u16>,
                    >();
                    ::reedbed::__private::assert_value::<Options>();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        Result<Array2<u32>, SegmentError>,
                        ::reedbed::__private::kind::Fallible<
                            ::reedbed::__private::kind::Handle,
                        >,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new(
                                    "segment",
                                    "Labels the nuclei of an image.",
                                )
                                .handle::<ArrayView2<'static, u16>>("image")
                                .value::<Options>("options")
                                .returns::<
                                    Result<Array2<u32>, SegmentError>,
                                    ::reedbed::__private::kind::Fallible<
                                        ::reedbed::__private::kind::Handle,
                                    >,
                                >(),
                        );
                }
                {
                    ::reedbed::__private::assert_handle::<
                        'static,
                        ArrayView2<'static, u16>,
                    >();
                    ::reedbed::__private::assert_handle::<
                        'static,
                        ArrayViewMut2<'static, u32>,
                    >();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        usize,
                        ::reedbed::__private::kind::Value,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new(
                                    "segment_into",
                                    "Fills `labels` in place.",
                                )
                                .handle::<ArrayView2<'static, u16>>("image")
                                .handle::<ArrayViewMut2<'static, u32>>("labels")
                                .returns::<usize, ::reedbed::__private::kind::Value>(),
                        );
                }
                {
                    ::reedbed::__private::assert_handle::<'static, Tensor<u16, Ix2>>();
                    ::reedbed::__private::assert_handle::<
                        'static,
                        Option<ArrayView2<'static, bool>>,
                    >();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        (Tensor<u16, Ix2>, Option<Array2<bool>>, usize),
                        (
                            ::reedbed::__private::kind::Handle,
                            ::reedbed::__private::kind::Optional<
                                ::reedbed::__private::kind::Handle,
                            >,
                            ::reedbed::__private::kind::Value,
                        ),
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new("crop", "")
                                .handle::<Tensor<u16, Ix2>>("image")
                                .handle::<Option<ArrayView2<'static, bool>>>("mask")
                                .returns::<
                                    (Tensor<u16, Ix2>, Option<Array2<bool>>, usize),
                                    (
                                        ::reedbed::__private::kind::Handle,
                                        ::reedbed::__private::kind::Optional<
                                            ::reedbed::__private::kind::Handle,
                                        >,
                                        ::reedbed::__private::kind::Value,
                                    ),
                                >(),
                        );
                }
                ::reedbed::schema::ModuleSchema::new(
                    "segmentation",
                    "Finds nuclei.",
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
            /// Labels the nuclei of an image.
            pub fn segment<'call>(
                &self,
                image: impl ::core::convert::Into<
                    ::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>,
                >,
                options: Options,
            ) -> ::reedbed::Call<
                'call,
                ::reedbed::Tensor<u32, ::reedbed::ndarray::Ix2>,
                SegmentError,
            > {
                ::reedbed::__private::assert_handle::<
                    'static,
                    ArrayView2<'static, u16>,
                >();
                ::reedbed::__private::assert_value::<Options>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Result<Array2<u32>, SegmentError>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Handle,
                    >,
                >;
                let image = ::core::convert::Into::into(image);
                ::reedbed::__private::call::<
                    Result<Array2<u32>, SegmentError>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Handle,
                    >,
                >(
                    &self.caller,
                    &METHOD_segment,
                    move |outgoing| {
                        outgoing
                            .handle::<
                                <ArrayView2<
                                    'call,
                                    u16,
                                > as ::reedbed::__private::HandleArg<'call>>::Sent,
                            >("image", image);
                        outgoing.value::<Options>("options", &options);
                        outgoing.finish()
                    },
                )
            }
            /// Fills `labels` in place.
            pub fn segment_into<'call>(
                &self,
                image: impl ::core::convert::Into<
                    ::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>,
                >,
                labels: impl ::core::convert::Into<
                    ::reedbed::ArgMut<'call, u32, ::reedbed::ndarray::Ix2>,
                >,
            ) -> ::reedbed::Call<'call, usize, ::core::convert::Infallible> {
                ::reedbed::__private::assert_handle::<
                    'static,
                    ArrayView2<'static, u16>,
                >();
                ::reedbed::__private::assert_handle::<
                    'static,
                    ArrayViewMut2<'static, u32>,
                >();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    usize,
                    ::reedbed::__private::kind::Value,
                >;
                let image = ::core::convert::Into::into(image);
                let labels = ::core::convert::Into::into(labels);
                ::reedbed::__private::call::<
                    usize,
                    ::reedbed::__private::kind::Value,
                >(
                    &self.caller,
                    &METHOD_segment_into,
                    move |outgoing| {
                        outgoing
                            .handle::<
                                <ArrayView2<
                                    'call,
                                    u16,
                                > as ::reedbed::__private::HandleArg<'call>>::Sent,
                            >("image", image);
                        outgoing
                            .handle::<
                                <ArrayViewMut2<
                                    'call,
                                    u32,
                                > as ::reedbed::__private::HandleArg<'call>>::Sent,
                            >("labels", labels);
                        outgoing.finish()
                    },
                )
            }
            /// Calls `crop` in the worker.
            pub fn crop<'call>(
                &self,
                image: impl ::core::convert::Into<Tensor<u16, Ix2>>,
                mask: ::core::option::Option<
                    ::reedbed::Arg<'call, bool, ::reedbed::ndarray::Ix2>,
                >,
            ) -> ::reedbed::Call<
                'call,
                (
                    Tensor<u16, Ix2>,
                    ::core::option::Option<
                        ::reedbed::Tensor<bool, ::reedbed::ndarray::Ix2>,
                    >,
                    usize,
                ),
                ::core::convert::Infallible,
            > {
                ::reedbed::__private::assert_handle::<'static, Tensor<u16, Ix2>>();
                ::reedbed::__private::assert_handle::<
                    'static,
                    Option<ArrayView2<'static, bool>>,
                >();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    (Tensor<u16, Ix2>, Option<Array2<bool>>, usize),
                    (
                        ::reedbed::__private::kind::Handle,
                        ::reedbed::__private::kind::Optional<
                            ::reedbed::__private::kind::Handle,
                        >,
                        ::reedbed::__private::kind::Value,
                    ),
                >;
                let image = ::core::convert::Into::into(image);
                ::reedbed::__private::call::<
                    (Tensor<u16, Ix2>, Option<Array2<bool>>, usize),
                    (
                        ::reedbed::__private::kind::Handle,
                        ::reedbed::__private::kind::Optional<
                            ::reedbed::__private::kind::Handle,
                        >,
                        ::reedbed::__private::kind::Value,
                    ),
                >(
                    &self.caller,
                    &METHOD_crop,
                    move |outgoing| {
                        outgoing
                            .handle::<
                                <Tensor<
                                    u16,
                                    Ix2,
                                > as ::reedbed::__private::HandleArg<'static>>::Sent,
                            >("image", image);
                        outgoing
                            .handle::<
                                <Option<
                                    ArrayView2<'call, bool>,
                                > as ::reedbed::__private::HandleArg<'call>>::Sent,
                            >("mask", mask);
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
            /// Labels the nuclei of an image.
            pub fn segment<'call>(
                &self,
                image: impl ::core::convert::Into<
                    ::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>,
                >,
                options: Options,
            ) -> ::core::result::Result<
                ::reedbed::Tensor<u32, ::reedbed::ndarray::Ix2>,
                ::reedbed::CallError<SegmentError>,
            > {
                self.client.segment(image, options).wait()
            }
            /// Fills `labels` in place.
            pub fn segment_into<'call>(
                &self,
                image: impl ::core::convert::Into<
                    ::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>,
                >,
                labels: impl ::core::convert::Into<
                    ::reedbed::ArgMut<'call, u32, ::reedbed::ndarray::Ix2>,
                >,
            ) -> ::core::result::Result<
                usize,
                ::reedbed::CallError<::core::convert::Infallible>,
            > {
                self.client.segment_into(image, labels).wait()
            }
            /// Calls `crop` in the worker.
            pub fn crop<'call>(
                &self,
                image: impl ::core::convert::Into<Tensor<u16, Ix2>>,
                mask: ::core::option::Option<
                    ::reedbed::Arg<'call, bool, ::reedbed::ndarray::Ix2>,
                >,
            ) -> ::core::result::Result<
                (
                    Tensor<u16, Ix2>,
                    ::core::option::Option<
                        ::reedbed::Tensor<bool, ::reedbed::ndarray::Ix2>,
                    >,
                    usize,
                ),
                ::reedbed::CallError<::core::convert::Infallible>,
            > {
                self.client.crop(image, mask).wait()
            }
        }
        fn serve_segment(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_handle::<'static, ArrayView2<'static, u16>>();
            ::reedbed::__private::assert_value::<Options>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Result<Array2<u32>, SegmentError>,
                ::reedbed::__private::kind::Fallible<::reedbed::__private::kind::Handle>,
            >;
            let mut arguments = call.arguments();
            let image = arguments.handle::<ArrayView2<'_, u16>>("image")?;
            let options = arguments.value::<Options>("options")?;
            arguments.finish()?;
            let returned = self::segment(image, options);
            call.reply::<
                    Result<Array2<u32>, SegmentError>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Handle,
                    >,
                >(returned)
        }
        fn serve_segment_into(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_handle::<'static, ArrayView2<'static, u16>>();
            ::reedbed::__private::assert_handle::<
                'static,
                ArrayViewMut2<'static, u32>,
            >();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                usize,
                ::reedbed::__private::kind::Value,
            >;
            let mut arguments = call.arguments();
            let image = arguments.handle::<ArrayView2<u16>>("image")?;
            let labels = arguments.handle::<ArrayViewMut2<'_, u32>>("labels")?;
            arguments.finish()?;
            let returned = self::segment_into(image, labels);
            call.reply::<usize, ::reedbed::__private::kind::Value>(returned)
        }
        fn serve_crop(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_handle::<'static, Tensor<u16, Ix2>>();
            ::reedbed::__private::assert_handle::<
                'static,
                Option<ArrayView2<'static, bool>>,
            >();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                (Tensor<u16, Ix2>, Option<Array2<bool>>, usize),
                (
                    ::reedbed::__private::kind::Handle,
                    ::reedbed::__private::kind::Optional<
                        ::reedbed::__private::kind::Handle,
                    >,
                    ::reedbed::__private::kind::Value,
                ),
            >;
            let mut arguments = call.arguments();
            let image = arguments.handle::<Tensor<u16, Ix2>>("image")?;
            let mask = arguments.handle::<Option<ArrayView2<'_, bool>>>("mask")?;
            arguments.finish()?;
            let returned = self::crop(image, mask);
            call.reply::<
                    (Tensor<u16, Ix2>, Option<Array2<bool>>, usize),
                    (
                        ::reedbed::__private::kind::Handle,
                        ::reedbed::__private::kind::Optional<
                            ::reedbed::__private::kind::Handle,
                        >,
                        ::reedbed::__private::kind::Value,
                    ),
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
                            &METHOD_segment_into,
                            ::reedbed::__private::Handler::Sync(serve_segment_into),
                        ),
                    );
                functions
                    .push(
                        ::reedbed::__private::Function::new(
                            &METHOD_crop,
                            ::reedbed::__private::Handler::Sync(serve_crop),
                        ),
                    );
                functions
            }
        }
    };
}
