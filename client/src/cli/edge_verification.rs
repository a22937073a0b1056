//! `muster edge verify`.

use anyhow::bail;
use muster_client::{names, proto};
use serde_json::{Map, Value};

use crate::output::{self, talk};
use crate::session::Session;
use crate::shapes::put;

/// Shows what both sides hold; fails when it was not the same.
pub(crate) async fn run(session: &Session, name: String) -> anyhow::Result<()> {
    let found = session.client.edges().verify(proto::VerifyEdgeRequest { name }).await?;
    output::document(session.format, &to_json(&found))?;
    let revision = revision(&found);
    if found.agree {
        talk(format_args!("cluster and edge hold the same at revision {revision}"));
        return Ok(());
    }
    let now =
        if found.agree_now { "the edge was repaired, and holds the same now" } else { "it could not be repaired" };
    bail!("the edge held something else at revision {revision}: {}; {now}", first(&found));
}

fn revision(found: &proto::VerifyEdgeResponse) -> u64 {
    found.header.as_ref().map_or(0, |header| header.revision)
}

/// The first difference in words.
fn first(found: &proto::VerifyEdgeResponse) -> String {
    let Some(first) = &found.first_difference else { return "its sums differ".to_owned() };
    let name = &first.name;
    let what = match (first.cluster_revision, first.edge_revision) {
        (0, _) => "the cluster has it not in the edge's scope".to_owned(),
        (_, 0) => "the edge did not hold it, or a damaged copy".to_owned(),
        (cluster, edge) if cluster != edge => format!("revision {cluster} in the cluster, {edge} at the edge"),
        (both, _) if first.field.is_empty() => format!("the contents of revision {both} differ"),
        (both, _) => format!("`{}` of revision {both} differs", first.field),
    };
    format!("{} items, first {name}: {what}", found.differences)
}

fn to_json(found: &proto::VerifyEdgeResponse) -> Value {
    let mut object = Map::new();
    put(&mut object, "edge", names::last(&found.name));
    put(&mut object, "revision", revision(found));
    put(&mut object, "agree", found.agree);
    put(&mut object, "cluster", contents(found.cluster.as_ref()));
    put(&mut object, "edgeHeld", contents(found.edge.as_ref()));
    put(&mut object, "differences", found.differences);
    put(&mut object, "firstDifference", found.first_difference.as_ref().map_or(Value::Null, difference));
    put(&mut object, "edgeHoldsNow", contents(found.repaired.as_ref()));
    put(&mut object, "agreeNow", found.agree_now);
    put(&mut object, "servingNodeId", found.serving_node_id);
    put(&mut object, "agentVersion", found.agent_version.as_str());
    Value::Object(object)
}

fn contents(contents: Option<&proto::EdgeContents>) -> Value {
    let mut object = Map::new();
    if let Some(contents) = contents {
        put(&mut object, "items", contents.items);
        put(&mut object, "contentHash", contents.content_hash.as_str());
    }
    Value::Object(object)
}

fn difference(first: &proto::EdgeDifference) -> Value {
    let mut object = Map::new();
    put(&mut object, "name", first.name.as_str());
    put(&mut object, "clusterRevision", first.cluster_revision);
    put(&mut object, "edgeRevision", first.edge_revision);
    put(&mut object, "field", first.field.as_str());
    put(&mut object, "clusterHash", first.cluster_hash.as_str());
    put(&mut object, "edgeHash", first.edge_hash.as_str());
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_said_in_words() {
        let said = |cluster_revision, edge_revision, field: &str| {
            let first = proto::EdgeDifference {
                name: "namespaces/p/devices/d/twin".to_owned(),
                cluster_revision,
                edge_revision,
                field: field.to_owned(),
                ..Default::default()
            };
            let found =
                proto::VerifyEdgeResponse { differences: 2, first_difference: Some(first), ..Default::default() };
            super::first(&found)
        };
        let about = "2 items, first namespaces/p/devices/d/twin: ";
        assert_eq!(said(7, 7, "twin.desired.json"), format!("{about}`twin.desired.json` of revision 7 differs"));
        assert_eq!(said(7, 7, ""), format!("{about}the contents of revision 7 differ"));
        assert_eq!(said(7, 5, "twin.etag"), format!("{about}revision 7 in the cluster, 5 at the edge"));
        assert_eq!(said(7, 0, ""), format!("{about}the edge did not hold it, or a damaged copy"));
        assert_eq!(said(0, 5, ""), format!("{about}the cluster has it not in the edge's scope"));
        assert_eq!(first(&proto::VerifyEdgeResponse::default()), "its sums differ");
    }
}
