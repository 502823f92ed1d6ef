//! Generates the gRPC service without a `.proto` file, so that no `protoc` is needed.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type("crate::systems::tonic::Message")
            .output_type("crate::systems::tonic::Message")
            .codec_path("tonic_prost::ProstCodec")
            .build()
    };
    let service = Service::builder()
        .name("Peer")
        .package("peers")
        .method(method("null", "Null"))
        .method(method("one", "One"))
        .method(method("sum", "Sum"))
        .method(method("incremented", "Incremented"))
        .build();
    Builder::new().compile(&[service]);
    println!("cargo::rerun-if-changed=build.rs");
}
