//! Generates the messages of the peers we measure against, without protoc.
//!
//! Knows only the two files under `proto/`; Muster's own API comes from `muster-proto`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    // Clients are not generated: all calls go through `src/grpc.rs`.
    let etcd = protox::compile(["etcd.proto"], ["proto"])?;
    tonic_prost_build::configure().build_client(false).build_server(false).bytes(".").compile_fds(etcd)?;
    let echo = protox::compile(["echo.proto"], ["proto"])?;
    tonic_prost_build::configure().build_client(false).bytes(".").compile_fds(echo)?;
    Ok(())
}
