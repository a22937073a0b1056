//! `muster-edge`: the edge agent as a process, and what people ask of it.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
