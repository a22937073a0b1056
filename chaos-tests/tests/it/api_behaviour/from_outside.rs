//! What those see who watch a node rather than use it: health, reflection, metrics.

use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::Cluster;
use muster_chaos::eventually::eventually;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::{desired, device, single};
use crate::wire;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_how_it_is_and_what_it_offers() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = single().await?;
    client.devices().create(device("pump7")).await?;
    client.twins().patch(desired("pump7", "{\"value\":1}")).await?;

    let mut health = HealthClient::new(wire::anonymous(&cluster)?);
    for service in ["", "muster.ready", "muster.write"] {
        eventually("health", Duration::from_secs(10), async || {
            let request = HealthCheckRequest { service: service.to_owned() };
            let answer = health.check(request).await.map_err(|status| status.to_string())?.into_inner();
            if answer.status() == ServingStatus::Serving { Ok(()) } else { Err(format!("`{service}`: {answer:?}")) }
        })
        .await?;
    }

    let services = reflected(&cluster).await?;
    for service in
        ["NamespaceService", "DeviceService", "TwinService", "AssetService", "HistoryService", "ClusterService"]
    {
        let name = format!("muster.v1.{service}");
        ensure!(services.contains(&name), "{name} is not told of: {services:?}");
    }

    for path in ["/healthz/live", "/healthz/ready", "/healthz/write"] {
        let answer = wire::http_get(&cluster, path).await?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let metrics = wire::http_get(&cluster, "/metrics").await?;
    ensure!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    for metric in ["muster_apply_commands_total", "muster_raft_log_sync_seconds_bucket", "muster_connections_open"] {
        ensure!(metrics.contains(metric), "{metric} is not among the metrics: {metrics}");
    }
    let accepted =
        metrics.lines().find(|line| line.starts_with("muster_apply_commands_total") && line.contains("accepted"));
    let count: f64 = accepted.and_then(|line| line.split(' ').next_back()).context("accepted commands")?.parse()?;
    ensure!(count >= 3.0, "namespace, device and patch were accepted, but {count} are counted");
    ensure!(wire::http_get(&cluster, "/").await?.starts_with("HTTP/1.1 404"), "nothing else is served");
    Ok(())
}

/// The services that reflection lists, asked with the admin's token.
async fn reflected(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let token = std::fs::read_to_string(cluster.pki().join("admin.token"))?;
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut request = Request::new(tokio_stream::once(question));
    request.metadata_mut().insert("authorization", format!("Bearer {}", token.trim()).parse()?);
    let mut reflection = ServerReflectionClient::new(wire::anonymous(cluster)?);
    let mut answers = reflection.server_reflection_info(request).await?.into_inner();
    let answer = answers.message().await?.context("an answer")?.message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { anyhow::bail!("not a list: {answer:?}") };
    Ok(list.service.into_iter().map(|service| service.name).collect())
}
