//! A command's connection: flags and context become a client, a namespace and the way reads and output are done.

use std::path::Path;

use muster_client::context::{self, Context, ContextError};
use muster_client::{Client, RetryPolicy, names, proto};

use crate::args::{Format, Globals};
use crate::exit::UsageError;

/// The namespace when neither flag nor context says.
const DEFAULT_NAMESPACE: &str = "default";

/// What a command works with.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) client: Client,
    /// The namespace's id.
    pub(crate) namespace: String,
    /// How fresh reads must be.
    pub(crate) read: Option<proto::ReadOptions>,
    pub(crate) format: Format,
}

impl Session {
    /// Makes one; nothing is connected yet.
    pub(crate) fn open(globals: &Globals) -> anyhow::Result<Self> {
        let context = resolve(globals, |file| {
            let file = context::load(file)?;
            file.context(globals.context.as_deref())
        })?;
        let attempt_timeout = RetryPolicy::default().attempt_timeout.min(globals.timeout);
        let policy = RetryPolicy { deadline: globals.timeout, attempt_timeout, ..RetryPolicy::default() };
        let client = Client::new(context.to_config()?.retry(policy))?;
        let namespace = globals.namespace.clone().or(context.namespace).unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        Ok(Self { client, namespace, read: Some(globals.consistency), format: globals.output })
    }

    /// The namespace's full name.
    pub(crate) fn parent(&self) -> String {
        names::namespace(&self.namespace)
    }

    /// The full name of a device of the namespace.
    pub(crate) fn device(&self, device: &str) -> String {
        names::device(&self.namespace, device)
    }

    /// The full name of a device's or, if one is named, a module's twin.
    pub(crate) fn twin(&self, device: &str, module: Option<&str>) -> String {
        match module {
            Some(module) => names::module_twin(&self.namespace, device, module),
            None => names::twin(&self.namespace, device),
        }
    }
}

/// The context with the flags over it. Flags alone are enough when they name an endpoint and no context is named.
fn resolve(
    globals: &Globals,
    load: impl FnOnce(Option<&Path>) -> Result<Context, ContextError>,
) -> anyhow::Result<Context> {
    let wants_context = globals.context.is_some() || globals.context_file.is_some();
    let mut context = match load(globals.context_file.as_deref()) {
        Ok(context) => context,
        Err(ContextError::NoFile | ContextError::NoCurrent { .. })
            if !wants_context && !globals.endpoint.is_empty() =>
        {
            Context::default()
        }
        Err(error) => return Err(error.into()),
    };
    if !globals.endpoint.is_empty() {
        context.endpoints = endpoint_urls(globals)?;
        context.tls_server_name = None;
        if context.endpoints.iter().any(|endpoint| endpoint.starts_with(SOCKET)) {
            // The cluster's credentials are nothing for the agent of an edge, which asks for none.
            context = Context { endpoints: context.endpoints, namespace: context.namespace, ..Context::default() };
        }
    }
    for (flag, setting) in [
        (&globals.ca_file, &mut context.ca_file),
        (&globals.cert_file, &mut context.cert_file),
        (&globals.key_file, &mut context.key_file),
        (&globals.token_file, &mut context.token_file),
    ] {
        if flag.is_some() {
            setting.clone_from(flag);
        }
    }
    Ok(context)
}

/// The endpoints that the flags name, as URLs.
pub(crate) fn endpoint_urls(globals: &Globals) -> Result<Vec<String>, UsageError> {
    globals.endpoint.iter().map(|endpoint| endpoint_url(endpoint, globals.insecure)).collect()
}

/// What the address of a socket begins with.
const SOCKET: &str = "unix:";

/// `HOST:PORT` becomes a URL; plaintext has to be asked for. A socket of this machine is one already.
fn endpoint_url(endpoint: &str, insecure: bool) -> Result<String, UsageError> {
    if endpoint.starts_with(SOCKET) {
        return Ok(endpoint.to_owned());
    }
    match (endpoint.split_once("://"), insecure) {
        (None, false) => Ok(format!("https://{endpoint}")),
        (None, true) => Ok(format!("http://{endpoint}")),
        (Some(("https", _)), false) | (Some(("http", _)), true) => Ok(endpoint.to_owned()),
        (Some(("http", _)), false) => Err(UsageError(format!(
            "--endpoint {endpoint} is not encrypted; add --insecure to mean it (loopback only)"
        ))),
        (Some(("https", _)), true) => Err(UsageError(format!("--insecure contradicts --endpoint {endpoint}"))),
        (Some(_), _) => {
            Err(UsageError(format!("--endpoint {endpoint}: write HOST:PORT, https://HOST:PORT or unix:PATH")))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        globals: Globals,
    }

    fn globals(line: &[&str]) -> Globals {
        Line::parse_from(std::iter::once("muster").chain(line.iter().copied())).globals
    }

    fn stored() -> Context {
        Context {
            endpoints: vec!["https://n1:7420".to_owned()],
            ca_file: Some("ca".into()),
            token_file: Some("token".into()),
            tls_server_name: Some("n1".to_owned()),
            ..Context::default()
        }
    }

    #[test]
    fn flags_lie_over_the_context() {
        let context =
            resolve(&globals(&["--endpoint", "n2:7420", "--token-file", "other"]), |_| Ok(stored())).expect("fits");
        assert_eq!(context.endpoints, ["https://n2:7420"]);
        assert_eq!(context.token_file, Some("other".into()));
        assert_eq!(context.ca_file, Some("ca".into()));
        assert_eq!(context.tls_server_name, None);
    }

    #[test]
    fn the_socket_of_an_edge_gets_no_credentials_of_the_cluster() {
        let context = resolve(&globals(&["--endpoint", "unix:/run/edge.sock"]), |_| Ok(stored())).expect("fits");
        assert_eq!(context.endpoints, ["unix:/run/edge.sock"]);
        assert_eq!((context.token_file, context.ca_file), (None, None));
    }

    #[test]
    fn an_endpoint_alone_needs_no_context() {
        let none = |_: Option<&Path>| Err(ContextError::NoFile);
        let context = resolve(&globals(&["--endpoint", "127.0.0.1:7420", "--insecure"]), none).expect("needs none");
        assert_eq!(context.endpoints, ["http://127.0.0.1:7420"]);
        assert!(resolve(&globals(&[]), none).is_err());
        assert!(resolve(&globals(&["--endpoint", "n:1", "--context", "x"]), none).is_err());
    }

    #[test]
    fn plaintext_has_to_be_asked_for() {
        assert!(endpoint_url("http://127.0.0.1:1", false).is_err());
        assert!(endpoint_url("https://127.0.0.1:1", true).is_err());
        assert!(endpoint_url("ftp://x", false).is_err());
        assert_eq!(endpoint_url("[::1]:7420", false).ok(), Some("https://[::1]:7420".to_owned()));
    }
}
