//! Definitions of edges: kept, listed, changed and ended, the same on every node.

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_client::{Code, names, proto};
use nix::sys::signal::Signal;

use super::{NAMESPACE, create_edge, delete_edge, edge, edge_status, get_edge, mask, namespace, single};
use crate::table::Table;

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_is_one_definition_on_every_node_and_survives_the_leader() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    namespace(&client).await?;
    let given = proto::Edge {
        display_name: "Press hall".to_owned(),
        description: "the hall with the presses".to_owned(),
        attributes_json: "{\"rack\":4}".to_owned(),
        ..Default::default()
    };
    let made = client.edges().create(create_edge("press", given.clone())).await?.edge.context("the edge")?;
    let mut table = Table::default();
    let told = (made.name.as_str(), made.enabled, made.version, made.display_name.as_str());
    table.same("made", told, ("namespaces/plant1/edges/press", Some(true), 1, "Press hall"));
    table.same("its attributes", made.attributes_json.as_str(), "{\"rack\":4}");

    let leader = cluster.leader().await?;
    cluster.end(leader, Signal::SIGKILL).await?;
    for id in cluster.ids().into_iter().filter(|id| *id != leader) {
        let on_node = cluster.client_of(&[id])?;
        table.same(&format!("told by node {id}"), get_edge(&on_node, "press").await?.edge, Some(made.clone()));
        let status = edge_status(&on_node, "press").await?.status.context("a status")?;
        let told = (status.connection(), status.session, status.presence);
        table.same(&format!("it never connected, by node {id}"), told, (proto::EdgeConnection::Never, None, None));
    }
    cluster.start_node(leader)?;
    cluster.wait_until_whole().await?;

    let update = |enabled: Option<bool>, paths: &[&str], etag: &str| proto::UpdateEdgeRequest {
        edge: Some(proto::Edge { name: made.name.clone(), enabled, ..Default::default() }),
        update_mask: mask(paths),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let stale = client.edges().update(update(Some(false), &["enabled"], "1")).await;
    table.refused("a stale etag", &stale, (Code::Aborted, "ETAG_MISMATCH", "etag"));
    let disabled = client.edges().update(update(Some(false), &["enabled"], &made.etag)).await?.edge.context("it")?;
    let told = (disabled.enabled, disabled.version, disabled.description.as_str());
    table.same("disabled, but for that the same", told, (Some(false), 2, given.description.as_str()));
    let emptied = client.edges().update(update(None, &[], "")).await?.edge.context("it")?;
    let told = (emptied.enabled, emptied.description.as_str());
    table.same("an empty mask changes all but what it cannot mean", told, (Some(false), ""));
    table.same(
        "on the node that was away",
        get_edge(&cluster.client_of(&[leader])?, "press").await?.edge,
        Some(emptied),
    );
    delete_edge(&client, "press").await?;
    table.refused("gone", &get_edge(&client, "press").await, (Code::NotFound, "NOT_FOUND", "name"));
    table.refused("its status", &edge_status(&client, "press").await, (Code::NotFound, "NOT_FOUND", "name"));
    let again = edge(&client, "press").await?.edge.context("it")?;
    table.same("versions go on", again.version, 4);
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_are_listed_in_pages_with_how_far_they_are() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    for id in ["hall-1", "hall-2", "yard"] {
        edge(&client, id).await?;
    }
    let mut table = Table::default();
    let list = |prefix: &str, page_token: &str| proto::ListEdgesRequest {
        parent: names::namespace(NAMESPACE),
        page_size: 2,
        prefix: prefix.to_owned(),
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let ids = |edges: &[proto::Edge]| edges.iter().map(|edge| names::last(&edge.name).to_owned()).collect::<Vec<_>>();
    let first = client.edges().list(list("", "")).await?;
    table.same("the first page", ids(&first.edges), vec!["hall-1".to_owned(), "hall-2".to_owned()]);
    edge(&client, "zone").await?;
    let rest = client.edges().list(list("", &first.next_page_token)).await?;
    table.same(
        "the rest, as of the first",
        (ids(&rest.edges), rest.next_page_token.as_str()),
        (vec!["yard".to_owned()], ""),
    );
    let other = client.edges().list(list("hall", &first.next_page_token)).await;
    table.refused("a token of another list", &other, (Code::InvalidArgument, "PAGE_TOKEN_INVALID", "page_token"));
    table.same("by prefix", ids(&client.edges().list(list("hall-", "")).await?.edges).len(), 2);

    let statuses = |page_token: &str| proto::ListEdgeStatusesRequest {
        parent: names::namespace(NAMESPACE),
        page_size: 3,
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let page = client.edges().list_statuses(statuses("")).await?;
    let rest = client.edges().list_statuses(statuses(&page.next_page_token)).await?;
    let all: Vec<_> = page.statuses.iter().chain(&rest.statuses).collect();
    let told: Vec<_> = all.iter().map(|status| (names::last(&status.name), status.connection())).collect();
    let never = proto::EdgeConnection::Never;
    table.same("statuses", told, vec![("hall-1", never), ("hall-2", never), ("yard", never), ("zone", never)]);

    let delete = proto::DeleteNamespaceRequest { name: names::namespace(NAMESPACE), ..Default::default() };
    let held = client.namespaces().delete(delete.clone()).await;
    table.refused("a namespace that holds some", &held, (Code::FailedPrecondition, "NAMESPACE_NOT_EMPTY", "name"));
    let forced = client.namespaces().delete(proto::DeleteNamespaceRequest { force: true, ..delete }).await?;
    table.same("gone with their namespace", forced.resources_deleted, 4);
    table.finish();
    Ok(())
}
