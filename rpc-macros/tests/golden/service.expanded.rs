/// Finds nuclei.
impl Detector {
    /// How many at most.
    pub const LIMIT: usize = 100;
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    /// Loads the parameters once.
    pub fn new(parameters: &Parameters) -> Result<Self, LoadError> {
        Ok(Self(parameters.clone()))
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    pub async fn fetch(url: String) -> io::Result<Detector> {
        load(url).await
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    /// Detects.
    pub fn detect(&self, image: ArrayView2<'_, u16>) -> Array2<u32> {
        detect(image, self.limit())
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    #[cfg(feature = "names")]
    pub async fn name(&self, index: u32) -> Option<String> {
        None
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    #[deprecated]
    pub fn version() -> String {
        String::new()
    }
    fn limit(&self) -> usize {
        Self::LIMIT
    }
}
/// Constructs instances of `detector` in a worker.
///
/// Every method returns a future; [`DetectorClient::blocking`] gives the twin whose methods wait.
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the other side may be elsewhere"
)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct DetectorClient {
    caller: ::reedbed::Caller,
}
/// Constructs instances of `detector` in a worker and waits for each.
///
/// The blocking twin of [`DetectorClient`].
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the other side may be elsewhere"
)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct BlockingDetectorClient {
    client: DetectorClient,
}
/// An instance of `detector` in a worker, which drops it when the last clone is gone.
///
/// Every method returns a future; [`DetectorInstance::blocking`] gives the twin whose methods wait.
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the other side may be elsewhere"
)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct DetectorInstance {
    instance: ::reedbed::Instance,
}
/// An instance of `detector` in a worker, which drops it when the last clone is gone.
///
/// The blocking twin of [`DetectorInstance`].
#[allow(
    dead_code,
    unreachable_pub,
    reason = "generated: the other side may be elsewhere"
)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct BlockingDetectorInstance {
    instance: DetectorInstance,
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
        "detector",
        "new",
    );
    static METHOD_fetch: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
        "detector",
        "fetch",
    );
    static METHOD_detect: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
        "detector",
        "detect",
    );
    #[cfg(feature = "names")]
    static METHOD_name: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
        "detector",
        "name",
    );
    static METHOD_version: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
        "detector",
        "version",
    );
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
    impl Detector {
        /// What a worker serves of `detector`.
        #[allow(
            dead_code,
            unreachable_pub,
            reason = "generated: the other side may be elsewhere"
        )]
        pub const MODULE: ::reedbed::Module = ::reedbed::Module::of::<DetectorClient>();
    }
    #[automatically_derived]
    impl ::reedbed::Stub for DetectorClient {
        const MODULE: &'static str = "detector";
        fn schema() -> ::reedbed::schema::ModuleSchema {
            let mut functions = ::std::vec::Vec::new();
            {
                ::reedbed::__private::assert_value::<
                    <Parameters as ::std::borrow::ToOwned>::Owned,
                >();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Result<::reedbed::__private::Made<DetectorInstance>, LoadError>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Instance,
                    >,
                >;
                functions
                    .push(
                        ::reedbed::schema::FunctionSchema::new(
                                "new",
                                "Loads the parameters once.",
                            )
                            .value::<
                                <Parameters as ::std::borrow::ToOwned>::Owned,
                            >("parameters")
                            .returns::<
                                Result<
                                    ::reedbed::__private::Made<DetectorInstance>,
                                    LoadError,
                                >,
                                ::reedbed::__private::kind::Fallible<
                                    ::reedbed::__private::kind::Instance,
                                >,
                            >(),
                    );
            }
            {
                ::reedbed::__private::assert_value::<String>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    io::Result<::reedbed::__private::Made<DetectorInstance>>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Instance,
                    >,
                >;
                functions
                    .push(
                        ::reedbed::schema::FunctionSchema::new("fetch", "")
                            .value::<String>("url")
                            .returns::<
                                io::Result<::reedbed::__private::Made<DetectorInstance>>,
                                ::reedbed::__private::kind::Fallible<
                                    ::reedbed::__private::kind::Instance,
                                >,
                            >(),
                    );
            }
            {
                ::reedbed::__private::assert_handle::<
                    'static,
                    ArrayView2<'static, u16>,
                >();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Array2<u32>,
                    ::reedbed::__private::kind::Handle,
                >;
                functions
                    .push(
                        ::reedbed::schema::FunctionSchema::new("detect", "Detects.")
                            .of_instance()
                            .handle::<ArrayView2<'static, u16>>("image")
                            .returns::<Array2<u32>, ::reedbed::__private::kind::Handle>(),
                    );
            }
            #[cfg(feature = "names")]
            {
                ::reedbed::__private::assert_value::<u32>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Option<String>,
                    ::reedbed::__private::kind::Value,
                >;
                functions
                    .push(
                        ::reedbed::schema::FunctionSchema::new("name", "")
                            .of_instance()
                            .value::<u32>("index")
                            .returns::<
                                Option<String>,
                                ::reedbed::__private::kind::Value,
                            >(),
                    );
            }
            {
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    String,
                    ::reedbed::__private::kind::Value,
                >;
                functions
                    .push(
                        ::reedbed::schema::FunctionSchema::new("version", "")
                            .returns::<String, ::reedbed::__private::kind::Value>(),
                    );
            }
            ::reedbed::schema::ModuleSchema::new("detector", "Finds nuclei.", functions)
        }
        fn from_caller(caller: ::reedbed::Caller) -> Self {
            Self { caller }
        }
        fn caller(&self) -> &::reedbed::Caller {
            &self.caller
        }
    }
    #[automatically_derived]
    impl ::reedbed::BlockingStub for BlockingDetectorClient {
        type Async = DetectorClient;
        fn from_async(client: DetectorClient) -> Self {
            Self { client }
        }
        fn as_async(&self) -> &DetectorClient {
            &self.client
        }
    }
    impl DetectorClient {
        /// Loads the parameters once.
        pub fn new<'call>(
            &self,
            parameters: &'call Parameters,
        ) -> ::reedbed::Call<'call, DetectorInstance, LoadError> {
            ::reedbed::__private::assert_value::<
                <Parameters as ::std::borrow::ToOwned>::Owned,
            >();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Result<::reedbed::__private::Made<DetectorInstance>, LoadError>,
                ::reedbed::__private::kind::Fallible<
                    ::reedbed::__private::kind::Instance,
                >,
            >;
            ::reedbed::__private::call::<
                Result<::reedbed::__private::Made<DetectorInstance>, LoadError>,
                ::reedbed::__private::kind::Fallible<
                    ::reedbed::__private::kind::Instance,
                >,
            >(
                &self.caller,
                &METHOD_new,
                move |outgoing| {
                    outgoing.value::<Parameters>("parameters", parameters);
                    outgoing.finish()
                },
            )
        }
        /// Calls `fetch` in the worker.
        pub fn fetch(
            &self,
            url: String,
        ) -> ::reedbed::Call<
            'static,
            DetectorInstance,
            <io::Result<
                ::reedbed::__private::Made<DetectorInstance>,
            > as __Outcome>::Error,
        > {
            ::reedbed::__private::assert_value::<String>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                io::Result<::reedbed::__private::Made<DetectorInstance>>,
                ::reedbed::__private::kind::Fallible<
                    ::reedbed::__private::kind::Instance,
                >,
            >;
            ::reedbed::__private::call::<
                io::Result<::reedbed::__private::Made<DetectorInstance>>,
                ::reedbed::__private::kind::Fallible<
                    ::reedbed::__private::kind::Instance,
                >,
            >(
                &self.caller,
                &METHOD_fetch,
                move |outgoing| {
                    outgoing.value::<String>("url", &url);
                    outgoing.finish()
                },
            )
        }
        /// Calls `version` in the worker.
        #[deprecated]
        pub fn version(
            &self,
        ) -> ::reedbed::Call<'static, String, ::core::convert::Infallible> {
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                String,
                ::reedbed::__private::kind::Value,
            >;
            ::reedbed::__private::call::<
                String,
                ::reedbed::__private::kind::Value,
            >(&self.caller, &METHOD_version, move |outgoing| { outgoing.finish() })
        }
        /// The blocking twin of this client.
        pub fn blocking(&self) -> BlockingDetectorClient {
            BlockingDetectorClient {
                client: ::core::clone::Clone::clone(self),
            }
        }
    }
    impl BlockingDetectorClient {
        /// Loads the parameters once.
        pub fn new<'call>(
            &self,
            parameters: &'call Parameters,
        ) -> ::core::result::Result<
            BlockingDetectorInstance,
            ::reedbed::CallError<LoadError>,
        > {
            self.client.new(parameters).wait().map(|instance| instance.blocking())
        }
        /// Calls `fetch` in the worker.
        pub fn fetch(
            &self,
            url: String,
        ) -> ::core::result::Result<
            BlockingDetectorInstance,
            ::reedbed::CallError<
                <io::Result<
                    ::reedbed::__private::Made<DetectorInstance>,
                > as __Outcome>::Error,
            >,
        > {
            self.client.fetch(url).wait().map(|instance| instance.blocking())
        }
        /// Calls `version` in the worker.
        #[deprecated]
        pub fn version(
            &self,
        ) -> ::core::result::Result<
            String,
            ::reedbed::CallError<::core::convert::Infallible>,
        > {
            self.client.version().wait()
        }
    }
    #[automatically_derived]
    impl ::reedbed::InstanceStub for DetectorInstance {
        fn from_instance(instance: ::reedbed::Instance) -> Self {
            Self { instance }
        }
    }
    impl DetectorInstance {
        /// Detects.
        pub fn detect<'call>(
            &self,
            image: impl ::core::convert::Into<
                ::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>,
            >,
        ) -> ::reedbed::Call<
            'call,
            ::reedbed::Tensor<u32, ::reedbed::ndarray::Ix2>,
            ::core::convert::Infallible,
        > {
            ::reedbed::__private::assert_handle::<'static, ArrayView2<'static, u16>>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Array2<u32>,
                ::reedbed::__private::kind::Handle,
            >;
            let image = ::core::convert::Into::into(image);
            ::reedbed::__private::call_of::<
                Array2<u32>,
                ::reedbed::__private::kind::Handle,
            >(
                &self.instance,
                &METHOD_detect,
                move |outgoing| {
                    outgoing
                        .handle::<
                            <ArrayView2<
                                'call,
                                u16,
                            > as ::reedbed::__private::HandleArg<'call>>::Sent,
                        >("image", image);
                    outgoing.finish()
                },
            )
        }
        #[cfg(feature = "names")]
        /// Calls `name` in the worker.
        pub fn name(
            &self,
            index: u32,
        ) -> ::reedbed::Call<'static, Option<String>, ::core::convert::Infallible> {
            ::reedbed::__private::assert_value::<u32>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Option<String>,
                ::reedbed::__private::kind::Value,
            >;
            ::reedbed::__private::call_of::<
                Option<String>,
                ::reedbed::__private::kind::Value,
            >(
                &self.instance,
                &METHOD_name,
                move |outgoing| {
                    outgoing.value::<u32>("index", &index);
                    outgoing.finish()
                },
            )
        }
        /// The blocking twin of this handle.
        pub fn blocking(&self) -> BlockingDetectorInstance {
            BlockingDetectorInstance {
                instance: ::core::clone::Clone::clone(self),
            }
        }
    }
    impl BlockingDetectorInstance {
        /// Detects.
        pub fn detect<'call>(
            &self,
            image: impl ::core::convert::Into<
                ::reedbed::Arg<'call, u16, ::reedbed::ndarray::Ix2>,
            >,
        ) -> ::core::result::Result<
            ::reedbed::Tensor<u32, ::reedbed::ndarray::Ix2>,
            ::reedbed::CallError<::core::convert::Infallible>,
        > {
            self.instance.detect(image).wait()
        }
        #[cfg(feature = "names")]
        /// Calls `name` in the worker.
        pub fn name(
            &self,
            index: u32,
        ) -> ::core::result::Result<
            Option<String>,
            ::reedbed::CallError<::core::convert::Infallible>,
        > {
            self.instance.name(index).wait()
        }
    }
    const MAKE: fn(Detector) -> ::reedbed::__private::Made<DetectorInstance> = ::reedbed::__private::Made::new;
    fn serve_new(
        call: &::reedbed::__private::ServerCall,
    ) -> ::core::result::Result<
        ::reedbed::__private::Reply,
        ::reedbed::__private::Failure,
    > {
        ::reedbed::__private::assert_value::<
            <Parameters as ::std::borrow::ToOwned>::Owned,
        >();
        let _ = ::reedbed::schema::FunctionSchema::returns::<
            Result<::reedbed::__private::Made<DetectorInstance>, LoadError>,
            ::reedbed::__private::kind::Fallible<::reedbed::__private::kind::Instance>,
        >;
        let mut arguments = call.arguments();
        let parameters = arguments
            .value::<<Parameters as ::std::borrow::ToOwned>::Owned>("parameters")?;
        arguments.finish()?;
        let returned = <Detector>::new(
            ::core::borrow::Borrow::<Parameters>::borrow(&parameters),
        );
        let returned = ::core::result::Result::map(returned, MAKE);
        call.reply::<
                Result<::reedbed::__private::Made<DetectorInstance>, LoadError>,
                ::reedbed::__private::kind::Fallible<
                    ::reedbed::__private::kind::Instance,
                >,
            >(returned)
    }
    fn serve_fetch(
        call: ::reedbed::__private::ServerCall,
    ) -> ::reedbed::__private::BoxFuture {
        ::reedbed::__private::assert_value::<String>();
        let _ = ::reedbed::schema::FunctionSchema::returns::<
            io::Result<::reedbed::__private::Made<DetectorInstance>>,
            ::reedbed::__private::kind::Fallible<::reedbed::__private::kind::Instance>,
        >;
        ::std::boxed::Box::pin(async move {
            let mut arguments = call.arguments();
            let url = arguments.value::<String>("url")?;
            arguments.finish()?;
            let returned = <Detector>::fetch(url).await;
            let returned = ::core::result::Result::map(returned, MAKE);
            call.reply::<
                    io::Result<::reedbed::__private::Made<DetectorInstance>>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Instance,
                    >,
                >(returned)
        })
    }
    fn serve_detect(
        call: &::reedbed::__private::ServerCall,
    ) -> ::core::result::Result<
        ::reedbed::__private::Reply,
        ::reedbed::__private::Failure,
    > {
        ::reedbed::__private::assert_handle::<'static, ArrayView2<'static, u16>>();
        let _ = ::reedbed::schema::FunctionSchema::returns::<
            Array2<u32>,
            ::reedbed::__private::kind::Handle,
        >;
        let this = call.instance::<Detector>()?;
        let mut arguments = call.arguments();
        let image = arguments.handle::<ArrayView2<'_, u16>>("image")?;
        arguments.finish()?;
        let returned = <Detector>::detect(this, image);
        call.reply::<Array2<u32>, ::reedbed::__private::kind::Handle>(returned)
    }
    #[cfg(feature = "names")]
    fn serve_name(
        call: ::reedbed::__private::ServerCall,
    ) -> ::reedbed::__private::BoxFuture {
        ::reedbed::__private::assert_value::<u32>();
        let _ = ::reedbed::schema::FunctionSchema::returns::<
            Option<String>,
            ::reedbed::__private::kind::Value,
        >;
        ::std::boxed::Box::pin(async move {
            let this = call.instance::<Detector>()?;
            let mut arguments = call.arguments();
            let index = arguments.value::<u32>("index")?;
            arguments.finish()?;
            let returned = <Detector>::name(this, index).await;
            call.reply::<Option<String>, ::reedbed::__private::kind::Value>(returned)
        })
    }
    fn serve_version(
        call: &::reedbed::__private::ServerCall,
    ) -> ::core::result::Result<
        ::reedbed::__private::Reply,
        ::reedbed::__private::Failure,
    > {
        let _ = ::reedbed::schema::FunctionSchema::returns::<
            String,
            ::reedbed::__private::kind::Value,
        >;
        let mut arguments = call.arguments();
        arguments.finish()?;
        let returned = <Detector>::version();
        call.reply::<String, ::reedbed::__private::kind::Value>(returned)
    }
    #[automatically_derived]
    impl ::reedbed::__private::Served for DetectorClient {
        fn functions() -> ::std::vec::Vec<::reedbed::__private::Function> {
            let mut functions = ::std::vec::Vec::new();
            functions
                .push(
                    ::reedbed::__private::Function::new(
                        &METHOD_new,
                        ::reedbed::__private::Handler::Sync(serve_new),
                    ),
                );
            functions
                .push(
                    ::reedbed::__private::Function::new(
                        &METHOD_fetch,
                        ::reedbed::__private::Handler::Async(serve_fetch),
                    ),
                );
            functions
                .push(
                    ::reedbed::__private::Function::of_instance(
                        &METHOD_detect,
                        ::reedbed::__private::Handler::Blocking(serve_detect),
                    ),
                );
            #[cfg(feature = "names")]
            functions
                .push(
                    ::reedbed::__private::Function::of_instance(
                        &METHOD_name,
                        ::reedbed::__private::Handler::Async(serve_name),
                    ),
                );
            functions
                .push(
                    ::reedbed::__private::Function::new(
                        &METHOD_version,
                        ::reedbed::__private::Handler::Sync(serve_version),
                    ),
                );
            functions
        }
    }
};
