//! `muster token …`.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use clap::{Subcommand, ValueEnum};
use futures::{StreamExt, TryStreamExt};
use muster_client::proto;
use serde_json::{Map, Value};

use crate::args::{Globals, ListFlags, duration};
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::{put, time};

/// Verbs of `muster token`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a token; its secret is printed this once
    #[command(after_help = "Examples:\n  \
        muster token create --role operator --namespace plant1 --description ci > ci.token\n  \
        muster token create --role device --namespace plant1 --device pump7 --expires-in 720h\n  \
        muster token create --role edge --namespace plant1 --edge press-hall > press-hall.token")]
    Create {
        /// What it may do; device needs --namespace and --device, edge needs --namespace and --edge
        #[arg(long, value_enum)]
        role: Role,
        /// The device, for the role device
        #[arg(long, default_value = "", hide_default_value = true)]
        device: String,
        /// The edge, for the role edge
        #[arg(long, default_value = "", hide_default_value = true)]
        edge: String,
        /// What it is for; at most 128 characters
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        /// How long it is valid, such as 24h [default: for ever]
        #[arg(long, value_name = "TIME", value_parser = long_duration)]
        expires_in: Option<Duration>,
        /// Name of this change; repeating it with the same one makes no second token
        #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
        request_id: String,
    },
    /// List tokens, without their secrets
    List {
        #[command(flatten)]
        list: ListFlags,
    },
    /// End a token, at once and for ever
    Revoke {
        /// The token's id, the middle part of mst_ID_SECRET
        id: String,
        /// Name of this change
        #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
        request_id: String,
    },
}

/// Built-in roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Reads everything but keys
    Viewer,
    /// Reads and changes everything in namespaces
    Operator,
    /// Everything, tokens and cluster included
    Admin,
    /// Its own twin: get without tags, report
    Device,
    /// The agent of an edge: its own session
    Edge,
}

/// Tokens may live for years, calls may not.
fn long_duration(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('h').map(str::parse::<u64>) {
        Some(Ok(hours)) if (1..=24 * 365 * 10).contains(&hours) => Ok(Duration::from_secs(hours * 3600)),
        Some(_) => Err("write hours from 1h to 87600h".to_owned()),
        None => duration(text),
    }
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let cluster = session.client.cluster();
    match verb {
        Verb::Create { role, device, edge, description, expires_in, request_id } => {
            // The context's namespace is for resources; a token's reach has to be said.
            let namespace = globals.namespace.clone().unwrap_or_default();
            if role == Role::Device && (namespace.is_empty() || device.is_empty()) {
                return Err(UsageError("--role device needs --namespace and --device".to_owned()).into());
            }
            if role == Role::Edge && (namespace.is_empty() || edge.is_empty()) {
                return Err(UsageError("--role edge needs --namespace and --edge".to_owned()).into());
            }
            let role = match role {
                Role::Viewer => proto::Role::Viewer,
                Role::Operator => proto::Role::Operator,
                Role::Admin => proto::Role::Admin,
                Role::Device => proto::Role::Device,
                Role::Edge => proto::Role::Edge,
            };
            let token = proto::Token {
                description,
                role: role.into(),
                namespace,
                device_id: device,
                edge_id: edge,
                expire_time: expires_in.map(|time| (SystemTime::now() + time).into()),
                ..Default::default()
            };
            let answer = cluster.create_token(proto::CreateTokenRequest { token: Some(token), request_id }).await?;
            let id = answer.token.as_ref().map(|token| token.token_id.clone()).unwrap_or_default();
            if answer.secret.is_empty() {
                // A repeated request id: the first answer had the secret, and only its hash is kept.
                talk(format_args!(
                    "token {id} was made before; its secret cannot be shown again. Revoke it and make another"
                ));
            } else {
                talk(format_args!("token {id} made; this is the only time its secret is shown"));
            }
            match globals.output {
                crate::args::Format::Table => output::line(&answer.secret)?,
                crate::args::Format::Json => {
                    let mut json = answer.token.as_ref().map(members).unwrap_or_default();
                    put(&mut json, "secret", answer.secret.as_str());
                    output::line(&Value::Object(json).to_string())?;
                }
            }
            Ok(())
        }
        Verb::List { list } => {
            let request =
                proto::ListTokensRequest { page_size: list.page_size(), read: session.read, ..Default::default() };
            let mut found = pin!(cluster.list_tokens_all(request).take(list.bound()));
            let mut listing = Listing::new(
                session.format,
                &["TOKEN", "ROLE", "NAMESPACE", "DEVICE OR EDGE", "DESCRIPTION", "CREATED", "EXPIRES"],
            );
            while let Some(token) = found.try_next().await? {
                let moment = |moment: &Option<prost_types::Timestamp>| {
                    moment.as_ref().map(ToString::to_string).unwrap_or_default()
                };
                listing.push(
                    || Value::Object(members(&token)),
                    || {
                        vec![
                            token.token_id.clone(),
                            role_name(token.role()).to_owned(),
                            token.namespace.clone(),
                            format!("{}{}", token.device_id, token.edge_id),
                            token.description.clone(),
                            moment(&token.create_time),
                            moment(&token.expire_time),
                        ]
                    },
                )?;
            }
            Ok(listing.finish()?)
        }
        Verb::Revoke { id, request_id } => {
            cluster.revoke_token(proto::RevokeTokenRequest { token_id: id.clone(), request_id }).await?;
            talk(format_args!("token {id} revoked"));
            Ok(())
        }
    }
}

fn role_name(role: proto::Role) -> &'static str {
    match role {
        proto::Role::Unspecified => "",
        proto::Role::Viewer => "viewer",
        proto::Role::Operator => "operator",
        proto::Role::Admin => "admin",
        proto::Role::Device => "device",
        proto::Role::Edge => "edge",
    }
}

fn members(token: &proto::Token) -> Map<String, Value> {
    let mut object = Map::new();
    put(&mut object, "tokenId", token.token_id.as_str());
    put(&mut object, "role", role_name(token.role()));
    put(&mut object, "namespace", token.namespace.as_str());
    put(&mut object, "deviceId", token.device_id.as_str());
    put(&mut object, "edgeId", token.edge_id.as_str());
    put(&mut object, "description", token.description.as_str());
    put(&mut object, "createTime", time(token.create_time.as_ref()));
    put(&mut object, "expireTime", time(token.expire_time.as_ref()));
    object
}
