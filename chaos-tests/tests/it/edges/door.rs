//! Who may see edges and speak for them: an edge sees itself and nothing else; nobody speaks for another.

use muster_chaos::cluster::{Cluster, binary};
use muster_client::{Client, Code, names, proto};
use proto::Role;
use tokio::process::Command;

use super::{NAMESPACE, create_edge, device, edge, edge_status, get_edge, single, site};
use crate::table::{Table, code};
use crate::wire;

const SYNC: &str = "/muster.v1.SyncService/Sync";

fn with_token(cluster: &Cluster, token: &str) -> anyhow::Result<Client> {
    Ok(Client::new(wire::once(cluster)?.token(token))?)
}

/// A client with a certificate of the edge.
async fn with_certificate(cluster: &Cluster, edge: &str) -> anyhow::Result<Client> {
    let issued = Command::new(binary("musterd")?)
        .args(["pki", "issue-client", "--role", "edge", "--name", edge, "--namespace", NAMESPACE, "--edge", edge])
        .arg("--dir")
        .arg(cluster.pki())
        .output()
        .await?;
    anyhow::ensure!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    let file = |ending: &str| cluster.pki().join(format!("{edge}.{ending}"));
    Ok(Client::new(wire::once(cluster)?.identity_files(file("crt"), file("key"))?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_sees_itself_and_nothing_else() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    for id in ["press", "paint"] {
        edge(&admin, id).await?;
    }
    site(&admin, "plant", "", "press").await?;
    device(&admin, "oven", "press", "").await?;
    let token = wire::token(&admin, Role::Edge, NAMESPACE, "press").await?.1;
    let elsewhere = wire::token(&admin, Role::Edge, "plant2", "press").await?.1;
    let mut table = Table::default();
    for (how, own) in
        [("token", with_token(&cluster, &token)?), ("certificate", with_certificate(&cluster, "press").await?)]
    {
        table.same(&format!("{how}: itself"), code(&get_edge(&own, "press").await), Code::Ok);
        table.same(&format!("{how}: how far it is"), code(&edge_status(&own, "press").await), Code::Ok);
        let parent = names::namespace(NAMESPACE);
        let twin = proto::GetTwinRequest { name: names::twin(NAMESPACE, "oven"), ..Default::default() };
        let report = proto::ReportPropertiesRequest {
            name: names::twin(NAMESPACE, "oven"),
            reported_json: "{\"seen\":true}".to_owned(),
            ..Default::default()
        };
        let all = proto::ListEdgesRequest { parent: parent.clone(), ..Default::default() };
        let statuses = proto::ListEdgeStatusesRequest { parent: parent.clone(), ..Default::default() };
        let sites = proto::ListSitesRequest { parent: parent.clone(), ..Default::default() };
        let devices = proto::ListDevicesRequest { parent, ..Default::default() };
        let itself = proto::Edge { name: names::edge(NAMESPACE, "press"), ..Default::default() };
        let update = proto::UpdateEdgeRequest { edge: Some(itself), ..Default::default() };
        let refused = [
            ("another edge", code(&get_edge(&own, "paint").await)),
            ("one that is not there", code(&get_edge(&own, "nothing").await)),
            ("another's status", code(&edge_status(&own, "paint").await)),
            ("all edges", code(&own.edges().list(all).await)),
            ("all statuses", code(&own.edges().list_statuses(statuses).await)),
            ("sites", code(&own.sites().list(sites).await)),
            ("devices", code(&own.devices().list(devices).await)),
            ("a twin that it holds", code(&own.twins().get(twin).await)),
            ("a report outside of its session", code(&own.twins().report(report).await)),
            ("its own definition", code(&own.edges().update(update).await)),
            ("a new edge", code(&own.edges().create(create_edge("new", proto::Edge::default())).await)),
            ("the cluster", code(&own.cluster().status(proto::GetStatusRequest {}).await)),
        ];
        for (what, found) in refused {
            table.same(&format!("{how}: {what}"), found, Code::PermissionDenied);
        }
    }
    let namesake = with_token(&cluster, &elsewhere)?;
    table.same("its namesake elsewhere", code(&get_edge(&namesake, "press").await), Code::PermissionDenied);
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_edge_opens_a_session_and_roles_reach_as_far_as_they_say() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    edge(&admin, "press").await?;
    device(&admin, "oven", "press", "").await?;
    let channel = wire::anonymous(&cluster)?;
    let mut table = Table::default();
    for (role, namespace, of) in
        [(Role::Viewer, "", ""), (Role::Operator, "", ""), (Role::Admin, "", ""), (Role::Device, NAMESPACE, "oven")]
    {
        let token = wire::token(&admin, role, namespace, of).await?.1;
        let refusal = wire::call(&channel, SYNC, Some(&token), Vec::new()).await.err();
        let found = refusal.map(|status| status.code());
        table.same(&format!("a session as {role:?}"), found, Some(Code::PermissionDenied));
    }
    let (ok, denied) = (Code::Ok, Code::PermissionDenied);
    for (who, role, namespace, expected) in [
        ("a viewer", Role::Viewer, "", [ok, ok, denied, denied]),
        ("a viewer of elsewhere", Role::Viewer, "plant2", [denied, denied, denied, denied]),
        ("an operator", Role::Operator, NAMESPACE, [ok, ok, ok, ok]),
        ("an operator of elsewhere", Role::Operator, "plant2", [denied, denied, denied, denied]),
    ] {
        let token = wire::token(&admin, role, namespace, "").await?.1;
        let client = with_token(&cluster, &token)?;
        let id = format!("new-{}", who.len());
        let found = [
            code(&get_edge(&client, "press").await),
            code(&edge_status(&client, "press").await),
            code(&edge(&client, &id).await),
            code(&site(&client, &id, "", "").await),
        ];
        table.same(&format!("{who}: get, status, create an edge, create a site"), found, expected);
    }
    table.finish();
    Ok(())
}
