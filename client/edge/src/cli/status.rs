//! `muster-edge status`: asks a running agent over its socket.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use muster_edge::Config;
use muster_proto::edge::v1::agent_service_client::AgentServiceClient;
use muster_proto::edge::v1::{AgentStatus, GetStatusRequest, LinkState};
use serde_json::Value;
use tonic::transport::Endpoint;

use super::print;

/// How a running agent is.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The configuration file of the agent, which names its socket
    #[arg(long, short, env = "MUSTER_EDGE_CONFIG", required_unless_present = "socket")]
    config: Option<PathBuf>,
    /// The socket itself
    #[arg(long)]
    socket: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let socket = match (self.socket, self.config) {
            (Some(socket), _) => socket,
            (None, Some(config)) => Config::load(&config)?.local.socket,
            (None, None) => anyhow::bail!("give --config or --socket"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let status = runtime.block_on(ask(&socket))?;
        print(&if self.json { json(&status) } else { text(&status) })
    }
}

async fn ask(socket: &std::path::Path) -> anyhow::Result<AgentStatus> {
    let address = format!("unix:{}", std::path::absolute(socket)?.display());
    let endpoint =
        Endpoint::from_shared(address)?.connect_timeout(Duration::from_secs(3)).timeout(Duration::from_secs(10));
    let channel = endpoint.connect().await.with_context(|| format!("no agent answers on {}", socket.display()))?;
    let answer = AgentServiceClient::new(channel).get_status(GetStatusRequest {}).await;
    Ok(answer.map_err(|status| anyhow::anyhow!("{}", status.message().to_owned()))?.into_inner())
}

fn link(status: &AgentStatus) -> &'static str {
    match status.link() {
        LinkState::Unspecified => "unknown",
        LinkState::Offline => "offline",
        LinkState::Opening => "opening",
        LinkState::Syncing => "syncing",
        LinkState::InStep => "in-step",
        LinkState::Stopped => "stopped",
    }
}

fn json(status: &AgentStatus) -> String {
    if status.awaits_room {
        return format!("{}\n", awaiting_room(status));
    }
    let refusals: Vec<_> = status
        .refusals
        .iter()
        .map(|refusal| {
            serde_json::json!({
                "sequence": refusal.sequence, "reason": refusal.reason, "message": refusal.message,
            })
        })
        .collect();
    let value = serde_json::json!({
        "edge": status.edge, "incarnation": status.incarnation, "cluster_id": status.cluster_id,
        "epoch": status.epoch, "link": link(status), "stopped_reason": status.stopped_reason, "message": status.message,
        "cursor": status.cursor, "mark_ms": status.mark_ms, "items": status.items, "scope_hash": status.scope_hash,
        "damaged_items": status.damaged_items,
        "queued_operations": status.queued_operations, "queued_bytes": status.queued_bytes,
        "oldest_queued_ms": status.oldest_queued_ms, "acknowledged_sequence": status.acknowledged_sequence,
        "newest_sequence": status.newest_sequence, "dropped_operations": status.dropped_operations,
        "refused_operations": status.refused_operations, "refusals": refusals,
        "sessions": status.sessions, "repairs": status.repairs, "repaired_items": status.repaired_items,
        "defects": status.defects, "agent_version": status.agent_version, "disk_low": status.disk_low,
        "awaits_room": false, "mqtt": mqtt(status), "folder": folder(status),
    });
    format!("{value}\n")
}

/// What is known while a write waits for room; nothing else is said, so that no number is taken for one.
fn awaiting_room(status: &AgentStatus) -> Value {
    serde_json::json!({
        "edge": status.edge, "cluster_id": status.cluster_id, "message": status.message, "cursor": status.cursor,
        "agent_version": status.agent_version, "disk_low": status.disk_low, "awaits_room": true,
        "mqtt": mqtt(status), "folder": folder(status),
    })
}

fn mqtt(status: &AgentStatus) -> Option<Value> {
    let mqtt = status.mqtt.as_ref()?;
    Some(serde_json::json!({
        "broker": mqtt.broker, "connected": mqtt.connected, "message": mqtt.message, "connections": mqtt.connections,
        "published": mqtt.published, "received": mqtt.received, "refused": mqtt.refused, "waiting": mqtt.waiting,
    }))
}

fn folder(status: &AgentStatus) -> Option<Value> {
    let folder = status.folder.as_ref()?;
    Some(serde_json::json!({
        "path": folder.path, "files": folder.files, "written": folder.written, "removed": folder.removed,
        "message": folder.message,
    }))
}

fn bridges(status: &AgentStatus) -> Vec<(&'static str, String)> {
    let with = |text: String, message: &str| if message.is_empty() { text } else { format!("{text}: {message}") };
    let mut rows = Vec::new();
    if let Some(mqtt) = &status.mqtt {
        let is = if mqtt.connected { "connected" } else { "not connected" };
        rows.push(("mqtt", with(format!("{} {is}", mqtt.broker), &mqtt.message)));
        let counts = format!("{} published, {} received", mqtt.published, mqtt.received);
        rows.push(("", format!("{counts} ({} refused, {} wait)", mqtt.refused, mqtt.waiting)));
    }
    if let Some(folder) = &status.folder {
        let counts = format!("{} files, {} written, {} removed", folder.files, folder.written, folder.removed);
        rows.push(("folder", with(format!("{} {counts}", folder.path), &folder.message)));
    }
    rows
}

fn text(status: &AgentStatus) -> String {
    let none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let link = match (link(status), status.stopped_reason.as_str()) {
        (link, "") => link.to_owned(),
        (link, reason) => format!("{link}: {reason}"),
    };
    if status.awaits_room {
        let revision = status.cursor.to_string();
        let mut rows = vec![("edge", status.edge.clone()), ("message", status.message.clone()), ("revision", revision)];
        rows.extend(bridges(status));
        return lines(&rows);
    }
    let mut rows = vec![
        ("edge", status.edge.clone()),
        ("link", link),
        ("message", none(&status.message)),
        ("cluster", none(&status.cluster_id)),
        ("incarnation", status.incarnation.clone()),
        ("epoch", status.epoch.to_string()),
        ("revision", status.cursor.to_string()),
        ("items", format!("{} ({} damaged)", status.items, status.damaged_items)),
        ("scope hash", status.scope_hash.clone()),
        ("queue", format!("{} operations, {} bytes", status.queued_operations, status.queued_bytes)),
        ("answered", format!("{} of {}", status.acknowledged_sequence, status.newest_sequence)),
        ("refused", status.refused_operations.to_string()),
        ("dropped", status.dropped_operations.to_string()),
        ("repairs", format!("{} ({} items, {} defects)", status.repairs, status.repaired_items, status.defects)),
    ];
    if status.disk_low {
        rows.push(("disk", "nearly full: new operations are refused".to_owned()));
    }
    rows.extend(bridges(status));
    let newest = status.refusals.iter().rev().take(5);
    rows.extend(
        newest.map(|refusal| ("refusal", format!("{}: {}: {}", refusal.sequence, refusal.reason, refusal.message))),
    );
    lines(&rows)
}

fn lines(rows: &[(&str, String)]) -> String {
    rows.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
}
