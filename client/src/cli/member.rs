//! The verbs of `muster cluster …` that are about members: who they are, who joins, votes, leaves and leads.

use std::time::Duration;

use clap::Subcommand;
use muster_client::proto;
use muster_client::proto::{Member, MemberState};
use serde_json::{Map, Value, json};

use crate::args::Format;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::{put, time};

/// Verbs about members.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List members, and nodes that were admitted and have not joined yet
    Members {
        /// Also those that were removed
        #[arg(long)]
        all: bool,
    },
    /// Admit a node that is to vote: prints its join token, and on stderr the steps that follow
    #[command(after_help = "Example:\n  muster cluster join n4 > join.token")]
    Join {
        #[command(flatten)]
        admission: Admission,
    },
    /// Admit a node that stays a learner: it gets the log and serves reads, and has no vote
    AddLearner {
        #[command(flatten)]
        admission: Admission,
    },
    /// Admit a node that takes the place of a member: that one leaves when the new one begins to vote
    #[command(after_help = "Example:\n  muster cluster replace 3 --name n4 > join.token")]
    Replace {
        /// Id of the member that leaves
        node: u64,
        /// Name of the new node
        #[arg(long)]
        name: String,
        #[command(flatten)]
        token: TokenFlags,
    },
    /// Make a learner a voter; refused while it is far behind
    Promote {
        /// Its id
        node: u64,
    },
    /// Remove a member, or withdraw an admission, for good; the node's process ends
    Remove {
        /// Its id
        node: u64,
        /// Also when it leaves no majority that answers; the last voter always stays
        #[arg(long)]
        force: bool,
    },
    /// Let another voter lead, for example before its machine is restarted
    TransferLeader {
        /// Its id [default: the voter with the longest log]
        #[arg(default_value_t = 0, hide_default_value = true)]
        node: u64,
    },
}

/// What a new node is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Admission {
    /// Name of the new node
    name: String,
    #[command(flatten)]
    token: TokenFlags,
}

/// How an admission is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenFlags {
    /// How long the join token is valid, such as 10m or 24h; at most 720h
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = lifetime)]
    expires_in: Duration,
    /// Name of this change; repeating it with the same one admits no second node
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    request_id: String,
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('h').map(str::parse::<u64>) {
        Some(Ok(hours)) if (1..=720).contains(&hours) => Ok(Duration::from_secs(hours * 3600)),
        Some(_) => Err("write hours from 1h to 720h".to_owned()),
        None => crate::args::duration(text),
    }
}

/// Runs a verb.
pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let members = session.client.members();
    match verb {
        Verb::Members { all } => {
            let answer = members.list(proto::ListMembersRequest { show_removed: all }).await?;
            print(session.format, &answer.members)
        }
        Verb::Join { admission } => admit(session, admission.name, false, 0, admission.token).await,
        Verb::AddLearner { admission } => admit(session, admission.name, true, 0, admission.token).await,
        Verb::Replace { node, name, token } => admit(session, name, false, node, token).await,
        Verb::Promote { node } => {
            members.promote(proto::PromoteMemberRequest { node_id: node, ..Default::default() }).await?;
            talk(format_args!("node {node} is a voter"));
            Ok(())
        }
        Verb::Remove { node, force } => {
            members.remove(proto::RemoveMemberRequest { node_id: node, force, ..Default::default() }).await?;
            talk(format_args!("node {node} is removed; its process ends, and its id is never used again"));
            Ok(())
        }
        Verb::TransferLeader { node } => {
            let answer = members.transfer_leadership(proto::TransferLeadershipRequest { node_id: node }).await?;
            talk(format_args!("node {} leads", answer.leader_id));
            Ok(())
        }
    }
}

async fn admit(session: &Session, name: String, learner: bool, replaces: u64, token: TokenFlags) -> anyhow::Result<()> {
    let request = proto::AdmitNodeRequest {
        name: name.clone(),
        learner,
        replaces,
        token_lifetime_seconds: token.expires_in.as_secs(),
        request_id: token.request_id,
    };
    let answer = session.client.members().admit(request).await?;
    if answer.join_token.is_empty() {
        talk(format_args!(
            "node {} was admitted before; its join token cannot be shown again. Remove the node and admit another",
            answer.node_id
        ));
    } else {
        talk(format_args!("{}", next_steps(&answer, &name)));
    }
    if session.format == Format::Table {
        return Ok(output::line(&answer.join_token)?);
    }
    let mut object = Map::new();
    put(&mut object, "nodeId", answer.node_id);
    put(&mut object, "joinToken", answer.join_token.as_str());
    put(&mut object, "tokenExpireTime", time(answer.token_expire_time.as_ref()));
    put(&mut object, "peerAddresses", json!(answer.peer_addresses));
    Ok(output::line(&Value::Object(object).to_string())?)
}

/// What is left to do, ready to be copied.
fn next_steps(answer: &proto::AdmitNodeResponse, name: &str) -> String {
    let id = answer.node_id;
    let cluster = answer.header.as_ref().map(|header| header.cluster_id.clone()).unwrap_or_default();
    let join = answer.peer_addresses.iter().map(|address| format!("\"{address}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "node {id} ({name}) is admitted; this is the only time its join token is shown.\n\
         1. Where the authorities' keys are: musterd pki node --dir PKI --id {id} --node {name}=DNS-OR-IP\n\
         2. Copy PKI/nodes/{name} to the new machine, and put the token into a file join.token with mode 600 there.\n\
         3. In its node.toml, beside listeners and certificates:\n\n\
         [node]\nid = {id}\nname = \"{name}\"\n\
         [cluster]\nid = \"{cluster}\"\njoin = [{join}]\njoin_token_file = \"join.token\"\n\n\
         4. Start it: musterd --config node.toml. `muster cluster members` shows how it comes along."
    )
}

fn state(member: &Member) -> &'static str {
    match member.state() {
        MemberState::Unspecified => "",
        MemberState::Admitted => "admitted",
        MemberState::Learner => "learner",
        MemberState::Voter => "voter",
        MemberState::Removed => "removed",
    }
}

fn print(format: Format, members: &[Member]) -> anyhow::Result<()> {
    let mut listing = Listing::new(
        format,
        &["NODE", "NAME", "STATE", "LEADER", "REACHABLE", "LAG", "PEER ADDRESS", "CLIENT ADDRESS", "NOTE"],
    );
    for member in members {
        listing.push(
            || to_json(member),
            || {
                vec![
                    member.node_id.to_string(),
                    member.name.clone(),
                    state(member).to_owned(),
                    if member.leader { "*".to_owned() } else { String::new() },
                    member.reachable.to_string(),
                    member.lag_entries.to_string(),
                    member.peer_address.clone(),
                    member.client_address.clone(),
                    note(member),
                ]
            },
        )?;
    }
    Ok(listing.finish()?)
}

fn note(member: &Member) -> String {
    let mut notes = Vec::new();
    if member.to_vote && member.state() == MemberState::Learner {
        notes.push("votes once it has caught up".to_owned());
    }
    if member.replaces > 0 && member.state() != MemberState::Removed {
        notes.push(format!("replaces node {}", member.replaces));
    }
    if let Some(expires) = &member.token_expire_time {
        notes.push(format!("token ends {expires}"));
    }
    notes.join(", ")
}

fn to_json(member: &Member) -> Value {
    let mut object = Map::new();
    put(&mut object, "nodeId", member.node_id);
    put(&mut object, "name", member.name.as_str());
    put(&mut object, "state", state(member));
    put(&mut object, "leader", member.leader);
    put(&mut object, "reachable", member.reachable);
    put(&mut object, "lagEntries", member.lag_entries);
    put(&mut object, "peerAddress", member.peer_address.as_str());
    put(&mut object, "clientAddress", member.client_address.as_str());
    put(&mut object, "toVote", member.to_vote);
    put(&mut object, "replaces", member.replaces);
    put(&mut object, "tokenExpireTime", time(member.token_expire_time.as_ref()));
    put(&mut object, "version", member.version.as_str());
    Value::Object(object)
}
