//! `musterd`: a node of a Muster cluster. Everything is in the library; this chooses the allocator and hands over.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    muster_node::cli::main()
}
