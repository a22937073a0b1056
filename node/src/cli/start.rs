//! `musterd` without a subcommand: from flags to a running node.
//!
//! Deliberately wires nothing (`server.rs`): it makes the runtime and what the whole process needs once.

use super::RunArgs;
use crate::clock::SystemClock;
use crate::ids_source::OsIds;
use crate::{context_file, first_start, server, telemetry, tls};
use anyhow::Context;
use std::sync::Arc;

pub(super) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let config = args.load()?;
    config.check()?;
    config.check_files()?;
    telemetry::init(&config.log)?;
    telemetry::install_panic_hook();
    tls::install_provider();
    if config.security.insecure_dev {
        tracing::warn!(
            "INSECURE: --insecure-dev is on, everything is sent in plain text; for development on one machine only"
        );
    }
    let context_path = args.context_file.clone().or_else(|| context_file::default_path(|name| std::env::var_os(name)));
    let startup = first_start::prepare(config, context_path, Arc::new(SystemClock), Arc::new(OsIds))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("muster").enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(server::run(startup))
}
