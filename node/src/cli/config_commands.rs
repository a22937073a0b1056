//! `musterd config`: check, show, default, reference.
//!
//! Deliberately starts nothing and writes no file.

use super::{RunArgs, print, say};
use crate::config::{self, Config};
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check a file: exits with 0 when it is valid, with 1 and every problem otherwise
    Check {
        /// The file
        file: PathBuf,
        /// Do not look at the certificates, keys and tokens it names, which may be on another machine
        #[arg(long)]
        skip_files: bool,
    },
    /// Print what is in effect after flags and variables
    Show {
        /// The file; by default the one of --config, or none
        file: Option<PathBuf>,
    },
    /// Print a file with every key and its default
    Default,
    /// Print the page that describes every key, in Markdown
    Reference,
}

impl ConfigCommand {
    pub(super) fn run(self, args: &RunArgs) -> anyhow::Result<()> {
        match self {
            Self::Check { file, skip_files } => {
                let config = Config::load(&file)?;
                config.check()?;
                if !skip_files {
                    config.check_files()?;
                }
                say(&format!("{} is valid", file.display()));
                Ok(())
            }
            Self::Show { file } => {
                let args = RunArgs { config: file.or_else(|| args.config.clone()), ..args.clone() };
                print(&config::show(&args.load()?)?)
            }
            Self::Default => print(&config::node_toml()),
            Self::Reference => print(&config::markdown()),
        }
    }
}
