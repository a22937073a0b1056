//! `muster cluster …`.

use clap::Subcommand;
use indicatif::HumanBytes;
use muster_client::proto::{GetStatusRequest, GetStatusResponse, MemberStatus};
use serde_json::{Map, Value, json};

use crate::args::{Format, Globals};
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::{put, time};

/// Verbs of `muster cluster`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show members, leader, revisions and disk use, as the answering node sees them
    Status,
    /// Compare what all members hold at one revision, and name the first difference; reads all records of every member
    Verify,
    /// Write the configurations of the nodes that are to found a cluster; calls nobody
    #[command(after_help = "Example:\n  \
        musterd pki init --dir pki --node n1=n1.example --node n2=n2.example --node n3=n3.example\n  \
        muster cluster init --pki pki n1=n1.example n2=n2.example n3=n3.example")]
    Init(crate::founding::Arguments),
    #[command(flatten)]
    Members(crate::member::Verb),
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    if let Verb::Init(arguments) = verb {
        return crate::founding::run(&arguments);
    }
    let session = Session::open(globals)?;
    match verb {
        Verb::Init(_) => Ok(()),
        Verb::Verify => crate::backup::compare(&session).await,
        Verb::Members(verb) => crate::member::run(&session, verb).await,
        Verb::Status => {
            let status = session.client.cluster().status(GetStatusRequest {}).await?;
            if session.format == Format::Json {
                return Ok(output::line(&to_json(&status).to_string())?);
            }
            let header = status.header.clone().unwrap_or_default();
            let leader = if status.leader_id == 0 { "none".to_owned() } else { status.leader_id.to_string() };
            let writes = if status.can_write { "accepted" } else { "not accepted" };
            talk(format_args!(
                "cluster {}, answered by node {}: leader {leader}, term {}, revision {}, feature level {}, writes {writes}",
                header.cluster_id, header.node_id, header.raft_term, header.revision, status.feature_level
            ));
            print_members(&status)
        }
    }
}

fn print_members(status: &GetStatusResponse) -> anyhow::Result<()> {
    let mut listing = Listing::new(
        Format::Table,
        &[
            "NODE",
            "NAME",
            "ROLE",
            "REACHABLE",
            "REVISION",
            "LAG",
            "CLIENT ADDRESS",
            "VERSION",
            "DISK USED",
            "DISK FREE",
            "CHAIN HASH",
        ],
    );
    for member in &status.members {
        let role = match (member.leader, member.voter) {
            (true, _) => "leader",
            (false, true) => "follower",
            (false, false) => "learner",
        };
        let row = vec![
            member.node_id.to_string(),
            member.name.clone(),
            role.to_owned(),
            member.reachable.to_string(),
            member.revision.to_string(),
            member.applied_lag.to_string(),
            member.client_address.clone(),
            member.version.clone(),
            HumanBytes(member.disk_used_bytes).to_string(),
            HumanBytes(member.disk_free_bytes).to_string(),
            member.chain_hash.chars().take(12).collect(),
        ];
        listing.push(|| Value::Null, || row)?;
    }
    Ok(listing.finish()?)
}

fn to_json(status: &GetStatusResponse) -> Value {
    let header = status.header.clone().unwrap_or_default();
    json!({
        "clusterId": header.cluster_id,
        "nodeId": header.node_id,
        "revision": header.revision,
        "raftTerm": header.raft_term,
        "leaderId": status.leader_id,
        "canWrite": status.can_write,
        "featureLevel": status.feature_level,
        "members": status.members.iter().map(member_to_json).collect::<Vec<_>>(),
    })
}

fn member_to_json(member: &MemberStatus) -> Value {
    let mut object = Map::new();
    put(&mut object, "nodeId", member.node_id);
    put(&mut object, "name", member.name.as_str());
    put(&mut object, "peerAddress", member.peer_address.as_str());
    put(&mut object, "clientAddress", member.client_address.as_str());
    put(&mut object, "voter", member.voter);
    put(&mut object, "leader", member.leader);
    put(&mut object, "reachable", member.reachable);
    put(&mut object, "revision", member.revision);
    put(&mut object, "appliedIndex", member.applied_index);
    put(&mut object, "appliedLag", member.applied_lag);
    put(&mut object, "lastLogIndex", member.last_log_index);
    put(&mut object, "snapshotIndex", member.snapshot_index);
    put(&mut object, "purgedIndex", member.purged_index);
    put(&mut object, "supportedFeatureLevel", member.supported_feature_level);
    put(&mut object, "version", member.version.as_str());
    put(&mut object, "diskUsedBytes", member.disk_used_bytes);
    put(&mut object, "diskFreeBytes", member.disk_free_bytes);
    put(&mut object, "chainHash", member.chain_hash.as_str());
    put(&mut object, "startTime", time(member.start_time.as_ref()));
    Value::Object(object)
}
