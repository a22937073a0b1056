//! `musterd`: a node of a Muster cluster. Everything is in the library; this chooses the allocator and hands over.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    muster_node::cli::main()
}
