//! `muster`, the command line of Muster: `muster <noun> <verb>`.
//!
//! Data goes to stdout, talk to stderr. Each noun has a file with its verbs; what they share is in `args` (flags),
//! `session` (connection), `output` (tables and JSON) and `exit` (exit codes).

mod args;
mod asset;
mod backup;
mod cluster;
mod completions;
mod context;
mod cursor;
mod device;
mod discovered;
mod edge;
mod edge_verification;
mod exit;
mod export;
mod founding;
mod history;
mod import;
mod member;
mod module;
mod namespace;
mod output;
mod query;
mod query_shell;
mod retention;
mod saved_query;
mod session;
mod shapes;
mod site;
mod token;
mod twin;
mod twin_history;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use args::Globals;

/// The register of a fleet: devices, their twins, and the assets behind them.
#[derive(Debug, Parser)]
#[command(name = "muster", version, arg_required_else_help = true, after_help = exit::HELP, max_term_width = 100)]
struct Muster {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Namespaces, the unit of tenancy; everything else lives in one
    #[command(subcommand, arg_required_else_help = true)]
    Namespace(namespace::Verb),
    /// Devices: identities, keys and descriptions
    #[command(subcommand, arg_required_else_help = true)]
    Device(device::Verb),
    /// Modules: parts of a device with an identity and a twin of their own
    #[command(subcommand, arg_required_else_help = true)]
    Module(module::Verb),
    /// Twins: the tags, desired and reported properties of a device or module
    #[command(subcommand, arg_required_else_help = true)]
    Twin(twin::Verb),
    /// Assets: things behind a device's endpoint
    #[command(subcommand, arg_required_else_help = true)]
    Asset(asset::Verb),
    /// Edges: agents at a place that keep a part of the registry in step
    #[command(subcommand, arg_required_else_help = true)]
    Edge(edge::Verb),
    /// Discovered devices and assets: what edges found, to be accepted or dismissed
    #[command(subcommand, arg_required_else_help = true)]
    Discovered(discovered::Verb),
    /// Sites: places that devices and assets are at, one within another
    #[command(subcommand, arg_required_else_help = true)]
    Site(site::Verb),
    /// The past: who changed what, and resources as they were
    #[command(subcommand, arg_required_else_help = true)]
    History(history::Verb),
    /// Queries over all devices, modules or assets of the namespace
    Query(query::Arguments),
    /// Changes as they happen
    Watch(watch::Arguments),
    /// Cursors: named places in the event log, kept by the cluster
    #[command(subcommand, arg_required_else_help = true)]
    Cursor(cursor::Verb),
    /// How much of the past is kept, for the cluster or with --namespace for a namespace
    #[command(subcommand, arg_required_else_help = true)]
    Retention(retention::Verb),
    /// The cluster itself
    #[command(subcommand, arg_required_else_help = true)]
    Cluster(cluster::Verb),
    /// Backups of a running cluster, and what is in them
    #[command(subcommand, arg_required_else_help = true)]
    Backup(backup::Verb),
    /// API tokens
    #[command(subcommand, arg_required_else_help = true)]
    Token(token::Verb),
    /// Read IoT Hub exports and Device Registry manifests into a namespace
    Import(import::Arguments),
    /// Write a namespace's devices, modules and twins in IoT Hub's export format
    Export(export::Arguments),
    /// Contexts: which cluster to talk to, and as whom
    #[command(subcommand, arg_required_else_help = true)]
    Context(context::Verb),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    // Clap exits with 2 on wrong usage, and with 0 after --help and --version.
    let muster = Muster::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&anyhow::Error::new(error).context("cannot start")),
    };
    match runtime.block_on(run(muster)) {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}

async fn run(muster: Muster) -> anyhow::Result<ExitCode> {
    let globals = &muster.globals;
    match muster.noun {
        Noun::Namespace(verb) => namespace::run(globals, verb).await?,
        Noun::Device(verb) => device::run(globals, verb).await?,
        Noun::Module(verb) => module::run(globals, verb).await?,
        Noun::Twin(verb) => twin::run(globals, verb).await?,
        Noun::Asset(verb) => asset::run(globals, verb).await?,
        Noun::Edge(verb) => edge::run(globals, verb).await?,
        Noun::Discovered(verb) => discovered::run(globals, verb).await?,
        Noun::Site(verb) => site::run(globals, verb).await?,
        Noun::History(verb) => history::run(globals, verb).await?,
        Noun::Query(arguments) => query::run(globals, arguments).await?,
        Noun::Watch(arguments) => watch::run(globals, arguments).await?,
        Noun::Cursor(verb) => cursor::run(globals, verb).await?,
        Noun::Retention(verb) => retention::run(globals, verb).await?,
        Noun::Cluster(verb) => cluster::run(globals, verb).await?,
        Noun::Backup(verb) => backup::run(globals, verb).await?,
        Noun::Token(verb) => token::run(globals, verb).await?,
        Noun::Import(arguments) => return import::run(globals, arguments).await,
        Noun::Export(arguments) => export::run(globals, arguments).await?,
        Noun::Context(verb) => context::run(globals, verb)?,
        Noun::Completions(arguments) => completions::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use clap::CommandFactory;

    #[test]
    fn the_declaration_of_all_flags_is_sound() {
        super::Muster::command().debug_assert();
    }

    /// The help texts are part of the interface: a change of them is to be seen in review. `MUSTER_BLESS=1` writes the file.
    #[test]
    fn help_texts_are_as_agreed() {
        let mut command = super::Muster::command().term_width(100);
        command.build();
        let mut text = String::new();
        describe(&mut command, "muster", &mut text);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help.txt");
        if std::env::var_os("MUSTER_BLESS").is_some() {
            std::fs::write(path, &text).expect("the golden file can be written");
        }
        let agreed = std::fs::read_to_string(path).expect("tests/golden/help.txt is there; MUSTER_BLESS=1 makes it");
        assert!(
            text == agreed,
            "the help texts differ from {path}; look at the difference after MUSTER_BLESS=1 cargo test"
        );
    }

    fn describe(command: &mut clap::Command, name: &str, text: &mut String) {
        let help = command.render_long_help().to_string();
        // Flags of every command are told once, with the command itself.
        let own = if name == "muster" { help.as_str() } else { help.split("\nConnection:").next().unwrap_or_default() };
        let after =
            if own.len() < help.len() { help.rsplit_once("\n\nExample").map(|(_, example)| example) } else { None };
        writeln!(text, "=== {name}\n{}", own.trim_end()).expect("a String takes everything");
        if let Some(example) = after {
            writeln!(text, "\nExample{}", example.trim_end()).expect("a String takes everything");
        }
        text.push('\n');
        for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
            let name = format!("{name} {}", verb.get_name());
            describe(verb, &name, text);
        }
    }
}
