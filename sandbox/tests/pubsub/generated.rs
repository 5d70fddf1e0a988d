//! The committed gRPC code is what the interface definition gives.

use std::path::{Path, PathBuf};

/// The interface definition with the code of the server, and the code of the clients in these tests.
fn rooms() -> [PathBuf; 2] {
    let sandbox = Path::new(env!("CARGO_MANIFEST_DIR"));
    [sandbox.join("pubsub"), sandbox.join("tests/pubsub")]
}

/// Makes the code of one side anew, with protox in the place of protoc.
fn generate(client: bool, into: &Path) -> String {
    let files = protox::compile(["pubsub_api.proto"], [&rooms()[0]]).expect("the definition compiles");
    tonic_prost_build::configure()
        .build_client(client)
        .build_server(!client)
        .build_transport(false)
        .out_dir(into)
        .compile_fds(files)
        .expect("code can be made");
    std::fs::read_to_string(into.join("eventbus.v1.rs")).expect("it was written")
}

#[test]
fn the_generated_code_is_that_of_the_definition() {
    for (client, room) in [false, true].into_iter().zip(rooms()) {
        let dir = tempfile::tempdir().unwrap();
        let made = generate(client, dir.path());
        let committed = room.join("generated/eventbus.v1.rs");
        if std::env::var_os("UPDATE_PUBSUB").is_some() {
            std::fs::create_dir_all(committed.parent().unwrap()).unwrap();
            std::fs::write(&committed, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&committed).unwrap_or_default();
        let remedy = "run UPDATE_PUBSUB=1 cargo test -p sandbox --test pubsub the_generated_code";
        assert!(made == kept, "{}: {remedy}", committed.display());
    }
}
