/// Segments nuclei.
pub(crate) trait CellNuclei: ::core::marker::Sized + ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Begins.
    fn new(threshold: u16) -> Self;
    /// Labels the nuclei.
    fn segment(
        &self,
        image: ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Array2<u32>, SegmentError>;
    fn version(
        prefix: &str,
    ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send;
    /// What a worker serves of `nuclei`.
    #[allow(
        dead_code,
        unreachable_pub,
        reason = "generated: the other side may be elsewhere"
    )]
    const MODULE: ::reedbed::Module = ::reedbed::Module::implemented::<
        CellNucleiClient,
        Self,
    >();
}
/// Constructs instances of `nuclei` in a worker.
///
/// Every method returns a future; [`CellNucleiClient::blocking`] gives the twin whose methods wait.
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the other side may be elsewhere"
)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct CellNucleiClient {
    caller: ::reedbed::Caller,
}
/// Constructs instances of `nuclei` in a worker and waits for each.
///
/// The blocking twin of [`CellNucleiClient`].
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the other side may be elsewhere"
)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct BlockingCellNucleiClient {
    client: CellNucleiClient,
}
/// An instance of `nuclei` in a worker, which drops it when the last clone is gone.
///
/// Every method returns a future; [`CellNucleiInstance::blocking`] gives the twin whose methods wait.
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the other side may be elsewhere"
)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct CellNucleiInstance {
    instance: ::reedbed::Instance,
}
/// An instance of `nuclei` in a worker, which drops it when the last clone is gone.
///
/// The blocking twin of [`CellNucleiInstance`].
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the other side may be elsewhere"
)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct BlockingCellNucleiInstance {
    instance: CellNucleiInstance,
}
#[allow(
    clippy::all,
    clippy::pedantic,
    dead_code,
    deprecated,
    elided_lifetimes_in_paths,
    non_snake_case,
    non_upper_case_globals,
    private_bounds,
    private_interfaces,
    single_use_lifetimes,
    unreachable_pub,
    unused_mut,
    unused_qualifications,
    reason = "generated: lints on the functions themselves say it all"
)]
const _: () = {
    static METHOD_new: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
        "nuclei",
        "new",
    );
    static METHOD_segment: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
        "nuclei",
        "segment",
    );
    static METHOD_version: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
        "nuclei",
        "version",
    );
    #[automatically_derived]
    impl ::reedbed::Stub for CellNucleiClient {
        const MODULE: &'static str = "nuclei";
        fn schema() -> ::reedbed::schema::ModuleSchema {
            let mut functions = ::std::vec::Vec::new();
            {
                ::reedbed::__private::assert_value::<u16>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    ::reedbed::__private::Made<CellNucleiInstance>,
                    ::reedbed::__private::kind::Instance,
                >;
                functions
                    .push(
                        ::reedbed::schema::FunctionSchema::new("new", "Begins.")
                            .value::<u16>("threshold")
                            .returns::<
                                ::reedbed::__private::Made<CellNucleiInstance>,
                                ::reedbed::__private::kind::Instance,
                            >(),
                    );
            }
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
                                "Labels the nuclei.",
                            )
                            .of_instance()
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
                ::reedbed::__private::assert_value::<
                    <str as ::std::borrow::ToOwned>::Owned,
                >();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    String,
                    ::reedbed::__private::kind::Value,
                >;
                functions
                    .push(
                        ::reedbed::schema::FunctionSchema::new("version", "")
                            .value::<<str as ::std::borrow::ToOwned>::Owned>("prefix")
                            .returns::<String, ::reedbed::__private::kind::Value>(),
                    );
            }
            ::reedbed::schema::ModuleSchema::new("nuclei", "Segments nuclei.", functions)
        }
        fn from_caller(caller: ::reedbed::Caller) -> Self {
            Self { caller }
        }
        fn caller(&self) -> &::reedbed::Caller {
            &self.caller
        }
    }
    #[automatically_derived]
    impl ::reedbed::BlockingStub for BlockingCellNucleiClient {
        type Async = CellNucleiClient;
        fn from_async(client: CellNucleiClient) -> Self {
            Self { client }
        }
        fn as_async(&self) -> &CellNucleiClient {
            &self.client
        }
    }
    impl CellNucleiClient {
        /// Begins.
        pub fn new(
            &self,
            threshold: u16,
        ) -> ::reedbed::Call<'static, CellNucleiInstance, ::core::convert::Infallible> {
            ::reedbed::__private::assert_value::<u16>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                ::reedbed::__private::Made<CellNucleiInstance>,
                ::reedbed::__private::kind::Instance,
            >;
            ::reedbed::__private::call::<
                ::reedbed::__private::Made<CellNucleiInstance>,
                ::reedbed::__private::kind::Instance,
            >(
                &self.caller,
                &METHOD_new,
                move |outgoing| {
                    outgoing.value::<u16>("threshold", &threshold);
                    outgoing.finish()
                },
            )
        }
        /// Calls `version` in the worker.
        pub fn version<'call>(
            &self,
            prefix: &'call str,
        ) -> ::reedbed::Call<'call, String, ::core::convert::Infallible> {
            ::reedbed::__private::assert_value::<
                <str as ::std::borrow::ToOwned>::Owned,
            >();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                String,
                ::reedbed::__private::kind::Value,
            >;
            ::reedbed::__private::call::<
                String,
                ::reedbed::__private::kind::Value,
            >(
                &self.caller,
                &METHOD_version,
                move |outgoing| {
                    outgoing.value::<str>("prefix", prefix);
                    outgoing.finish()
                },
            )
        }
        /// The blocking twin of this client.
        pub fn blocking(&self) -> BlockingCellNucleiClient {
            BlockingCellNucleiClient {
                client: ::core::clone::Clone::clone(self),
            }
        }
    }
    impl BlockingCellNucleiClient {
        /// Begins.
        pub fn new(
            &self,
            threshold: u16,
        ) -> ::core::result::Result<
            BlockingCellNucleiInstance,
            ::reedbed::CallError<::core::convert::Infallible>,
        > {
            self.client.new(threshold).wait().map(|instance| instance.blocking())
        }
        /// Calls `version` in the worker.
        pub fn version<'call>(
            &self,
            prefix: &'call str,
        ) -> ::core::result::Result<
            String,
            ::reedbed::CallError<::core::convert::Infallible>,
        > {
            self.client.version(prefix).wait()
        }
    }
    #[automatically_derived]
    impl ::reedbed::InstanceStub for CellNucleiInstance {
        fn from_instance(instance: ::reedbed::Instance) -> Self {
            Self { instance }
        }
    }
    impl CellNucleiInstance {
        /// Labels the nuclei.
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
            ::reedbed::__private::assert_handle::<'static, ArrayView2<'static, u16>>();
            ::reedbed::__private::assert_value::<Options>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Result<Array2<u32>, SegmentError>,
                ::reedbed::__private::kind::Fallible<::reedbed::__private::kind::Handle>,
            >;
            let image = ::core::convert::Into::into(image);
            ::reedbed::__private::call_of::<
                Result<Array2<u32>, SegmentError>,
                ::reedbed::__private::kind::Fallible<::reedbed::__private::kind::Handle>,
            >(
                &self.instance,
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
        /// The blocking twin of this handle.
        pub fn blocking(&self) -> BlockingCellNucleiInstance {
            BlockingCellNucleiInstance {
                instance: ::core::clone::Clone::clone(self),
            }
        }
    }
    impl BlockingCellNucleiInstance {
        /// Labels the nuclei.
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
            self.instance.segment(image, options).wait()
        }
    }
    fn serve_new<__Implementor: CellNuclei>(
        call: &::reedbed::__private::ServerCall,
    ) -> ::core::result::Result<
        ::reedbed::__private::Reply,
        ::reedbed::__private::Failure,
    > {
        ::reedbed::__private::assert_value::<u16>();
        let _ = ::reedbed::schema::FunctionSchema::returns::<
            ::reedbed::__private::Made<CellNucleiInstance>,
            ::reedbed::__private::kind::Instance,
        >;
        let mut arguments = call.arguments();
        let threshold = arguments.value::<u16>("threshold")?;
        arguments.finish()?;
        let returned = <__Implementor as CellNuclei>::new(threshold);
        let returned = ::reedbed::__private::Made::new(returned);
        call.reply::<
                ::reedbed::__private::Made<CellNucleiInstance>,
                ::reedbed::__private::kind::Instance,
            >(returned)
    }
    fn serve_segment<__Implementor: CellNuclei>(
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
        let this = call.instance::<__Implementor>()?;
        let mut arguments = call.arguments();
        let image = arguments.handle::<ArrayView2<'_, u16>>("image")?;
        let options = arguments.value::<Options>("options")?;
        arguments.finish()?;
        let returned = <__Implementor as CellNuclei>::segment(this, image, options);
        call.reply::<
                Result<Array2<u32>, SegmentError>,
                ::reedbed::__private::kind::Fallible<::reedbed::__private::kind::Handle>,
            >(returned)
    }
    fn serve_version<__Implementor: CellNuclei>(
        call: ::reedbed::__private::ServerCall,
    ) -> ::reedbed::__private::BoxFuture {
        ::reedbed::__private::assert_value::<<str as ::std::borrow::ToOwned>::Owned>();
        let _ = ::reedbed::schema::FunctionSchema::returns::<
            String,
            ::reedbed::__private::kind::Value,
        >;
        ::std::boxed::Box::pin(async move {
            let mut arguments = call.arguments();
            let prefix = arguments
                .value::<<str as ::std::borrow::ToOwned>::Owned>("prefix")?;
            arguments.finish()?;
            let returned = <__Implementor as CellNuclei>::version(
                    ::core::borrow::Borrow::<str>::borrow(&prefix),
                )
                .await;
            call.reply::<String, ::reedbed::__private::kind::Value>(returned)
        })
    }
    #[automatically_derived]
    impl<__Implementor: CellNuclei> ::reedbed::__private::Served<__Implementor>
    for CellNucleiClient {
        fn functions() -> ::std::vec::Vec<::reedbed::__private::Function> {
            let mut functions = ::std::vec::Vec::new();
            functions
                .push(
                    ::reedbed::__private::Function::new(
                        &METHOD_new,
                        ::reedbed::__private::Handler::Sync(serve_new::<__Implementor>),
                    ),
                );
            functions
                .push(
                    ::reedbed::__private::Function::of_instance(
                        &METHOD_segment,
                        ::reedbed::__private::Handler::Blocking(
                            serve_segment::<__Implementor>,
                        ),
                    ),
                );
            functions
                .push(
                    ::reedbed::__private::Function::new(
                        &METHOD_version,
                        ::reedbed::__private::Handler::Async(
                            serve_version::<__Implementor>,
                        ),
                    ),
                );
            functions
        }
    }
};
