//! `muster context …`: which clusters this machine knows. Works on the context file and calls nobody.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use muster_client::context::{Context, ContextFile, Surroundings};
use serde_json::{Map, Value, json};

use crate::args::Globals;
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::endpoint_urls;
use crate::shapes::put;

/// Verbs of `muster context`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List all contexts; the current one is marked
    List,
    /// Show one context [default: the current one]
    Show {
        /// The context
        name: Option<String>,
    },
    /// Make a context the current one
    Use {
        /// The context
        name: String,
    },
    /// Add a context, or change what the flags say of one that exists
    ///
    /// The connection flags give its settings: --endpoint, --ca-file, --cert-file, --key-file, --token-file, and --namespace
    /// for its default namespace.
    #[command(after_help = "Example:\n  \
        muster context set plant --endpoint n1:7420 --endpoint n2:7420 --ca-file client-ca.crt --token-file admin.token --use")]
    Set(Set),
}

/// Arguments of `muster context set`, beside the flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The context
    name: String,
    /// Name that servers prove instead of their host
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Make it the current one
    #[arg(long = "use")]
    make_current: bool,
}

/// Runs a verb.
pub(crate) fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let surroundings = Surroundings::of_process();
    let found = surroundings.find(globals.context_file.as_deref());
    if let Verb::Set(set) = verb {
        let path =
            found.or_else(|| surroundings.home_file()).context("there is no home folder; pass --context-file")?;
        let mut file = if path.exists() { ContextFile::load(&path)? } else { ContextFile::empty(&path) };
        return change(&mut file, globals, set);
    }
    let path = found.ok_or(muster_client::context::ContextError::NoFile)?;
    let mut file = ContextFile::load(&path)?;
    match verb {
        Verb::List => {
            let mut listing = Listing::new(globals.output, &["CURRENT", "NAME", "ENDPOINTS", "NAMESPACE"]);
            for (name, context) in &file.contexts {
                let current = file.current.as_ref() == Some(name);
                listing.push(
                    || to_json(name, context, current),
                    || {
                        let mark = if current { "*" } else { "" };
                        let namespace = context.namespace.clone().unwrap_or_default();
                        vec![mark.to_owned(), name.clone(), context.endpoints.join(" "), namespace]
                    },
                )?;
            }
            listing.finish()?;
        }
        Verb::Show { name } => {
            let name = file.choose(name.as_deref().or(globals.context.as_deref()))?;
            let context = file.context(Some(name))?;
            output::one(globals.output, &to_json(name, &context, file.current.as_deref() == Some(name)))?;
        }
        Verb::Use { name } => {
            file.choose(Some(&name))?;
            talk(format_args!("{}: current context is {name}", path.display()));
            file.current = Some(name);
            file.save()?;
        }
        Verb::Set(_) => {}
    }
    Ok(())
}

fn change(file: &mut ContextFile, globals: &Globals, set: Set) -> anyhow::Result<()> {
    let context = file.contexts.entry(set.name.clone()).or_default();
    if !globals.endpoint.is_empty() {
        context.endpoints = endpoint_urls(globals)?;
    }
    if context.endpoints.is_empty() {
        return Err(UsageError("a new context needs at least one --endpoint".to_owned()).into());
    }
    for (given, setting) in [
        (&globals.ca_file, &mut context.ca_file),
        (&globals.cert_file, &mut context.cert_file),
        (&globals.key_file, &mut context.key_file),
        (&globals.token_file, &mut context.token_file),
    ] {
        if let Some(path) = given {
            // What is given is relative to where the command runs, what is stored to where the file lies.
            let absolute = std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))?;
            *setting = Some(absolute);
        }
    }
    for (given, setting) in
        [(set.server_name, &mut context.tls_server_name), (globals.namespace.clone(), &mut context.namespace)]
    {
        if given.is_some() {
            *setting = given;
        }
    }
    if set.make_current || file.current.is_none() {
        file.current = Some(set.name.clone());
    }
    file.save()?;
    talk(format_args!("{}: context {} is set", file.path().display(), set.name));
    Ok(())
}

fn to_json(name: &str, context: &Context, current: bool) -> Value {
    let mut object = Map::new();
    put(&mut object, "name", name);
    put(&mut object, "current", current);
    put(&mut object, "endpoints", json!(context.endpoints));
    for (name, path) in [
        ("caFile", &context.ca_file),
        ("certFile", &context.cert_file),
        ("keyFile", &context.key_file),
        ("tokenFile", &context.token_file),
    ] {
        put(&mut object, name, path.as_ref().map_or(Value::Null, |path| Value::from(path.display().to_string())));
    }
    put(&mut object, "tlsServerName", context.tls_server_name.clone());
    put(&mut object, "namespace", context.namespace.clone());
    Value::Object(object)
}
