mod files {
    #![allow(unused)]
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    /// Reads a file.
    #[cfg(unix)]
    #[inline]
    pub async fn read(
        path: &Path,
        r#type: &str,
        ranges: &[Range<u64>],
    ) -> io::Result<Vec<u8>> {
        unreachable!("only expanded, never run")
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    /// Reads a file.
    #[cfg(not(unix))]
    pub fn read(path: PathBuf) -> Option<Vec<u8>> {
        unreachable!("only expanded, never run")
    }
    #[allow(
        clippy::needless_pass_by_value,
        unreachable_pub,
        reason = "a function that is served is `pub` and takes what was sent"
    )]
    #[deprecated = "disks are large"]
    pub fn delete(call: u32, arguments: Cow<'_, str>) {}
    /// Calls the functions of `files` in a worker.
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
    /// Calls the functions of `files` in a worker and waits for each.
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
    /// What a worker serves of `files`.
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
        #[cfg(unix)]
        static METHOD_read: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "files",
            "read",
        );
        #[cfg(not(unix))]
        static METHOD_read: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "files",
            "read",
        );
        static METHOD_delete: ::reedbed::__private::Method = ::reedbed::__private::Method::new(
            "files",
            "delete",
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
        #[automatically_derived]
        impl ::reedbed::Stub for Client {
            const MODULE: &'static str = "files";
            fn schema() -> ::reedbed::schema::ModuleSchema {
                let mut functions = ::std::vec::Vec::new();
                #[cfg(unix)]
                {
                    ::reedbed::__private::assert_value::<
                        <Path as ::std::borrow::ToOwned>::Owned,
                    >();
                    ::reedbed::__private::assert_value::<
                        <str as ::std::borrow::ToOwned>::Owned,
                    >();
                    ::reedbed::__private::assert_value::<
                        <[Range<u64>] as ::std::borrow::ToOwned>::Owned,
                    >();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        io::Result<Vec<u8>>,
                        ::reedbed::__private::kind::Fallible<
                            ::reedbed::__private::kind::Value,
                        >,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new(
                                    "read",
                                    "Reads a file.",
                                )
                                .value::<<Path as ::std::borrow::ToOwned>::Owned>("path")
                                .value::<<str as ::std::borrow::ToOwned>::Owned>("type")
                                .value::<
                                    <[Range<u64>] as ::std::borrow::ToOwned>::Owned,
                                >("ranges")
                                .returns::<
                                    io::Result<Vec<u8>>,
                                    ::reedbed::__private::kind::Fallible<
                                        ::reedbed::__private::kind::Value,
                                    >,
                                >(),
                        );
                }
                #[cfg(not(unix))]
                {
                    ::reedbed::__private::assert_value::<PathBuf>();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        Option<Vec<u8>>,
                        ::reedbed::__private::kind::Value,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new(
                                    "read",
                                    "Reads a file.",
                                )
                                .value::<PathBuf>("path")
                                .returns::<
                                    Option<Vec<u8>>,
                                    ::reedbed::__private::kind::Value,
                                >(),
                        );
                }
                {
                    ::reedbed::__private::assert_value::<u32>();
                    ::reedbed::__private::assert_value::<Cow<'static, str>>();
                    let _ = ::reedbed::schema::FunctionSchema::returns::<
                        (),
                        ::reedbed::__private::kind::Value,
                    >;
                    functions
                        .push(
                            ::reedbed::schema::FunctionSchema::new("delete", "")
                                .value::<u32>("call")
                                .value::<Cow<'static, str>>("arguments")
                                .returns::<(), ::reedbed::__private::kind::Value>(),
                        );
                }
                ::reedbed::schema::ModuleSchema::new("files", "", functions)
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
            #[cfg(unix)]
            /// Reads a file.
            pub fn read<'call>(
                &self,
                path: &'call Path,
                r#type: &'call str,
                ranges: &'call [Range<u64>],
            ) -> ::reedbed::Call<
                'call,
                <io::Result<Vec<u8>> as __Outcome>::Value,
                <io::Result<Vec<u8>> as __Outcome>::Error,
            > {
                ::reedbed::__private::assert_value::<
                    <Path as ::std::borrow::ToOwned>::Owned,
                >();
                ::reedbed::__private::assert_value::<
                    <str as ::std::borrow::ToOwned>::Owned,
                >();
                ::reedbed::__private::assert_value::<
                    <[Range<u64>] as ::std::borrow::ToOwned>::Owned,
                >();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    io::Result<Vec<u8>>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Value,
                    >,
                >;
                ::reedbed::__private::call::<
                    io::Result<Vec<u8>>,
                    ::reedbed::__private::kind::Fallible<
                        ::reedbed::__private::kind::Value,
                    >,
                >(
                    &self.caller,
                    &METHOD_read,
                    move |outgoing| {
                        outgoing.value::<Path>("path", path);
                        outgoing.value::<str>("type", r#type);
                        outgoing.value::<[Range<u64>]>("ranges", ranges);
                        outgoing.finish()
                    },
                )
            }
            #[cfg(not(unix))]
            /// Reads a file.
            pub fn read(
                &self,
                path: PathBuf,
            ) -> ::reedbed::Call<'static, Option<Vec<u8>>, ::core::convert::Infallible> {
                ::reedbed::__private::assert_value::<PathBuf>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    Option<Vec<u8>>,
                    ::reedbed::__private::kind::Value,
                >;
                ::reedbed::__private::call::<
                    Option<Vec<u8>>,
                    ::reedbed::__private::kind::Value,
                >(
                    &self.caller,
                    &METHOD_read,
                    move |outgoing| {
                        outgoing.value::<PathBuf>("path", &path);
                        outgoing.finish()
                    },
                )
            }
            /// Calls `delete` in the worker.
            #[deprecated = "disks are large"]
            pub fn delete<'call>(
                &self,
                call: u32,
                arguments: Cow<'call, str>,
            ) -> ::reedbed::Call<'call, (), ::core::convert::Infallible> {
                ::reedbed::__private::assert_value::<u32>();
                ::reedbed::__private::assert_value::<Cow<'static, str>>();
                let _ = ::reedbed::schema::FunctionSchema::returns::<
                    (),
                    ::reedbed::__private::kind::Value,
                >;
                ::reedbed::__private::call::<
                    (),
                    ::reedbed::__private::kind::Value,
                >(
                    &self.caller,
                    &METHOD_delete,
                    move |outgoing| {
                        outgoing.value::<u32>("call", &call);
                        outgoing.value::<Cow<'call, str>>("arguments", &arguments);
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
            #[cfg(unix)]
            /// Reads a file.
            pub fn read<'call>(
                &self,
                path: &'call Path,
                r#type: &'call str,
                ranges: &'call [Range<u64>],
            ) -> ::core::result::Result<
                <io::Result<Vec<u8>> as __Outcome>::Value,
                ::reedbed::CallError<<io::Result<Vec<u8>> as __Outcome>::Error>,
            > {
                self.client.read(path, r#type, ranges).wait()
            }
            #[cfg(not(unix))]
            /// Reads a file.
            pub fn read(
                &self,
                path: PathBuf,
            ) -> ::core::result::Result<
                Option<Vec<u8>>,
                ::reedbed::CallError<::core::convert::Infallible>,
            > {
                self.client.read(path).wait()
            }
            /// Calls `delete` in the worker.
            #[deprecated = "disks are large"]
            pub fn delete<'call>(
                &self,
                call: u32,
                arguments: Cow<'call, str>,
            ) -> ::core::result::Result<
                (),
                ::reedbed::CallError<::core::convert::Infallible>,
            > {
                self.client.delete(call, arguments).wait()
            }
        }
        #[cfg(unix)]
        fn serve_read(
            call: ::reedbed::__private::ServerCall,
        ) -> ::reedbed::__private::BoxFuture {
            ::reedbed::__private::assert_value::<
                <Path as ::std::borrow::ToOwned>::Owned,
            >();
            ::reedbed::__private::assert_value::<
                <str as ::std::borrow::ToOwned>::Owned,
            >();
            ::reedbed::__private::assert_value::<
                <[Range<u64>] as ::std::borrow::ToOwned>::Owned,
            >();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                io::Result<Vec<u8>>,
                ::reedbed::__private::kind::Fallible<::reedbed::__private::kind::Value>,
            >;
            ::std::boxed::Box::pin(async move {
                let mut arguments = call.arguments();
                let path = arguments
                    .value::<<Path as ::std::borrow::ToOwned>::Owned>("path")?;
                let r#type = arguments
                    .value::<<str as ::std::borrow::ToOwned>::Owned>("type")?;
                let ranges = arguments
                    .value::<<[Range<u64>] as ::std::borrow::ToOwned>::Owned>("ranges")?;
                arguments.finish()?;
                let returned = self::read(
                        ::core::borrow::Borrow::<Path>::borrow(&path),
                        ::core::borrow::Borrow::<str>::borrow(&r#type),
                        ::core::borrow::Borrow::<[Range<u64>]>::borrow(&ranges),
                    )
                    .await;
                call.reply::<
                        io::Result<Vec<u8>>,
                        ::reedbed::__private::kind::Fallible<
                            ::reedbed::__private::kind::Value,
                        >,
                    >(returned)
            })
        }
        #[cfg(not(unix))]
        fn serve_read(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_value::<PathBuf>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                Option<Vec<u8>>,
                ::reedbed::__private::kind::Value,
            >;
            let mut arguments = call.arguments();
            let path = arguments.value::<PathBuf>("path")?;
            arguments.finish()?;
            let returned = self::read(path);
            call.reply::<Option<Vec<u8>>, ::reedbed::__private::kind::Value>(returned)
        }
        fn serve_delete(
            call: &::reedbed::__private::ServerCall,
        ) -> ::core::result::Result<
            ::reedbed::__private::Reply,
            ::reedbed::__private::Failure,
        > {
            ::reedbed::__private::assert_value::<u32>();
            ::reedbed::__private::assert_value::<Cow<'static, str>>();
            let _ = ::reedbed::schema::FunctionSchema::returns::<
                (),
                ::reedbed::__private::kind::Value,
            >;
            let mut arguments = call.arguments();
            let call = arguments.value::<u32>("call")?;
            let arguments = arguments.value::<Cow<'_, str>>("arguments")?;
            arguments.finish()?;
            let returned = self::delete(call, arguments);
            call.reply::<(), ::reedbed::__private::kind::Value>(returned)
        }
        #[automatically_derived]
        impl ::reedbed::__private::Served for Client {
            fn functions() -> ::std::vec::Vec<::reedbed::__private::Function> {
                let mut functions = ::std::vec::Vec::new();
                #[cfg(unix)]
                functions
                    .push(
                        ::reedbed::__private::Function::new(
                            &METHOD_read,
                            ::reedbed::__private::Handler::Async(serve_read),
                        ),
                    );
                #[cfg(not(unix))]
                functions
                    .push(
                        ::reedbed::__private::Function::new(
                            &METHOD_read,
                            ::reedbed::__private::Handler::Sync(serve_read),
                        ),
                    );
                functions
                    .push(
                        ::reedbed::__private::Function::new(
                            &METHOD_delete,
                            ::reedbed::__private::Handler::Blocking(serve_delete),
                        ),
                    );
                functions
            }
        }
    };
}
