//! `muster completions SHELL`.

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Arguments of `muster completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  muster completions bash > ~/.local/share/bash-completion/completions/muster")]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // Generated into memory first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::Muster::command(), "muster", &mut script);
    io::Write::write_all(&mut io::stdout().lock(), &script)?;
    Ok(())
}
