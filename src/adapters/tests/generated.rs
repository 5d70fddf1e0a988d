//! The committed gRPC code is what the interface definition gives.

use std::path::Path;

/// Makes the code anew, with protox in the place of protoc.
fn generate(definition: &Path, into: &Path) -> String {
    let files = protox::compile(["pubsub_api.proto"], [definition]).expect("the definition compiles");
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .out_dir(into)
        .compile_fds(files)
        .expect("code can be made");
    std::fs::read_to_string(into.join("eventbus.v1.rs")).expect("it was written")
}

#[test]
fn the_generated_code_is_that_of_the_definition() {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("salesforce/pubsub");
    let dir = tempfile::tempdir().expect("a directory");
    let made = generate(&room, dir.path());
    let committed = room.join("generated/eventbus.v1.rs");
    if std::env::var_os("UPDATE_PUBSUB").is_some() {
        std::fs::write(&committed, &made).expect("it can be written");
    }
    let kept = std::fs::read_to_string(&committed).unwrap_or_default();
    let remedy = "run UPDATE_PUBSUB=1 cargo test -p cpq-adapters --test generated";
    assert!(made == kept, "{}: {remedy}", committed.display());
}
