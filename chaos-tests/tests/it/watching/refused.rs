//! Watches that break a rule: refused before anything is told, with the field at fault.

use muster_chaos::cluster::{Cluster, Options};
use muster_client::{Code, proto};
use proto::watch_response::Content;

use super::{everything, next, of, started, watch};
use crate::table::Table;

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_break_a_rule_are_refused() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    let mut table = Table::default();
    let invalid = |field: &'static str| (Code::InvalidArgument, "INVALID_FIELD", field);
    let spec = |change: fn(&mut proto::WatchSpec)| {
        let mut spec = everything(1);
        change(&mut spec);
        watch(vec![spec])
    };
    let future = (Code::OutOfRange, "REVISION_IN_FUTURE", "watches[0].from_revision");
    for (case, request, expected) in [
        ("no watches", watch(Vec::new()), (Code::InvalidArgument, "TOO_MANY", "watches")),
        ("65 watches", watch((0..65).map(everything).collect()), (Code::InvalidArgument, "TOO_MANY", "watches")),
        ("one id twice", watch(vec![everything(1), everything(1)]), invalid("watches[1].id")),
        (
            "a short interval",
            proto::WatchRequest { progress_interval_ms: 99, ..spec(|_| ()) },
            invalid("progress_interval_ms"),
        ),
        (
            "another cluster",
            proto::WatchRequest { cluster_id: "other".to_owned(), ..spec(|_| ()) },
            invalid("cluster_id"),
        ),
        ("the future", spec(|spec| spec.from_revision = 1_000_000), future),
        ("no resource", watch(vec![of(1, "plant1")]), invalid("watches[0].resource")),
        ("a prefix of nothing", spec(|spec| spec.resource_is_prefix = true), invalid("watches[0].resource")),
        ("an unknown kind", spec(|spec| spec.kinds = vec!["twin.patch".to_owned()]), invalid("watches[0].kinds[0]")),
        ("an unknown type", spec(|spec| spec.types = vec![0]), invalid("watches[0].types[0]")),
        ("an unknown section", spec(|spec| spec.sections = vec![7]), invalid("watches[0].sections[0]")),
        ("a path without a section", spec(|spec| spec.path = "fw.version".to_owned()), invalid("watches[0].path")),
        (
            "two beginnings",
            spec(|spec| (spec.from_revision, spec.list_first) = (1, true)),
            invalid("watches[0].list_first"),
        ),
        ("a cursor that is none", spec(|spec| spec.cursor = "warehouse".to_owned()), invalid("watches[0].cursor")),
        (
            "a cursor that does not exist",
            spec(|spec| spec.cursor = "cursors/nobody".to_owned()),
            (Code::NotFound, "NOT_FOUND", "name"),
        ),
    ] {
        table.refused(case, &client.watch(request).next().await, expected);
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_revision_may_be_waited_for_and_a_filter_may_match_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    let status = client.cluster().status(proto::GetStatusRequest {}).await?;
    let newest = status.header.map(|header| header.revision).unwrap_or_default();
    let mut table = Table::default();
    let mut watcher = client.watch(watch(vec![proto::WatchSpec { from_revision: newest + 1, ..everything(1) }]));
    table.same("it begins there", started(&mut watcher).await?.from_revision, newest + 1);
    let mut nothing = client.watch(watch(vec![of(1, "namespaces/nowhere")]));
    started(&mut nothing).await?;
    let told = next(&mut nothing).await?.1;
    table.check("progress all the same", matches!(&told, Content::Progress(told) if told.revision >= newest), || {
        format!("{told:?}")
    });
    let local = proto::ReadOptions {
        consistency: proto::read_options::Consistency::Local.into(),
        ..proto::ReadOptions::default()
    };
    let later = proto::WatchSpec { from_revision: newest + 100, ..everything(1) };
    let mut watcher = client.watch(proto::WatchRequest { read: Some(local), ..watch(vec![later]) });
    table.same("a local watch may wait longer", started(&mut watcher).await?.from_revision, newest + 100);
    let told = next(&mut watcher).await?.1;
    table.check(
        "and tells no progress that is not there",
        matches!(&told, Content::Progress(told) if told.revision == newest),
        || format!("{told:?}"),
    );
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_floor_is_said_out_loud_and_the_floor_itself_is_told() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    let mut revisions = Vec::new();
    for id in ["plant1", "plant2", "plant3"] {
        let request = proto::CreateNamespaceRequest { namespace_id: id.to_owned(), ..Default::default() };
        let made = client.namespaces().create(request).await?;
        revisions.push(made.header.map(|header| header.revision).unwrap_or_default());
    }
    let request = proto::CreateCursorRequest { cursor_id: "oldest".to_owned(), ..Default::default() };
    client.cursors().create(request).await?;
    let request = proto::CreateCursorRequest {
        cursor_id: "early".to_owned(),
        acknowledged_revision: revisions[0] - 1,
        ..Default::default()
    };
    client.cursors().create(request).await?;
    let floor = revisions[1];
    client.retention().compact(proto::CompactEventsRequest { floor, ..Default::default() }).await?;

    let mut table = Table::default();
    let from = |from_revision| client.watch(watch(vec![proto::WatchSpec { from_revision, ..everything(1) }]));
    let cursor = |name: &str| client.watch(watch(vec![proto::WatchSpec { cursor: name.to_owned(), ..everything(1) }]));
    let compacted = (Code::OutOfRange, "COMPACTED", "watches[0].from_revision");
    for (case, outcome) in [
        ("one below the floor", from(floor - 1).next().await),
        ("the beginning", from(1).next().await),
        ("a cursor left behind", cursor("cursors/early").next().await),
    ] {
        table.refused(case, &outcome, compacted);
        let named = outcome.err().and_then(|error| error.floor());
        table.same(&format!("{case}: the floor is named"), named, Some(floor));
    }
    for (case, mut watcher) in [("the floor", from(floor)), ("the oldest", cursor("cursors/oldest"))] {
        table.same(&format!("{case}: it begins there"), started(&mut watcher).await?.from_revision, floor);
        let told = next(&mut watcher).await?.1;
        let first = match &told {
            Content::Events(events) => events.events.first().and_then(|told| told.event.as_ref()),
            _ => None,
        };
        table.same(&format!("{case}: its event is told"), first.map(|event| event.revision), Some(floor));
    }
    table.finish();
    Ok(())
}
