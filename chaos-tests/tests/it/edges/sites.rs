//! The hierarchy of sites: within one another, without a cycle, not too deep, not deleted from under others.

use anyhow::Context;
use muster_client::{Code, names, proto};

use super::{NAMESPACE, change_site, delete_site, edge, served_by, single, site, within};
use crate::table::{Table, code};

fn ids(sites: &[proto::Site]) -> Vec<String> {
    sites.iter().map(|site| names::last(&site.name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_lie_within_one_another_and_are_listed_so() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    edge(&client, "press").await?;
    for (id, parent, edge) in
        [("plant", "", "press"), ("hall-1", "plant", ""), ("hall-2", "plant", ""), ("line", "hall-1", "")]
    {
        site(&client, id, parent, edge).await?;
    }
    let mut table = Table::default();
    let list = async |filter: proto::ListSitesRequest| {
        let request = proto::ListSitesRequest { parent: names::namespace(NAMESPACE), ..filter };
        client.sites().list(request).await.map(|page| ids(&page.sites))
    };
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    for (case, filter, expected) in [
        ("all", proto::ListSitesRequest::default(), owned(&["hall-1", "hall-2", "line", "plant"])),
        (
            "by prefix",
            proto::ListSitesRequest { prefix: "hall".to_owned(), ..Default::default() },
            owned(&["hall-1", "hall-2"]),
        ),
        (
            "directly within",
            proto::ListSitesRequest { within: "plant".to_owned(), ..Default::default() },
            owned(&["hall-1", "hall-2"]),
        ),
        ("of an edge", proto::ListSitesRequest { edge: "press".to_owned(), ..Default::default() }, owned(&["plant"])),
    ] {
        table.same(case, list(filter).await?, expected);
    }
    let cycle = (Code::InvalidArgument, "INVALID_FIELD", "site.parent");
    for below in ["plant", "hall-1", "line"] {
        let moved = change_site(&client, "plant", within(below), &["parent"]).await;
        table.refused(&format!("plant within {below}"), &moved, cycle);
    }
    let held = (Code::FailedPrecondition, "SITE_HAS_SITES", "name");
    table.refused("deleted from under others", &delete_site(&client, "hall-1").await, held);
    let moved = change_site(&client, "line", within("hall-2"), &["parent"]).await?.site.context("it")?;
    table.same("moved", (moved.parent.as_str(), moved.version), ("hall-2", 2));
    table.same("empty by now", code(&delete_site(&client, "hall-1").await), Code::Ok);
    let named = change_site(
        &client,
        "line",
        proto::Site { display_name: "Line 1".to_owned(), ..Default::default() },
        &["display_name"],
    );
    let named = named.await?.site.context("it")?;
    table.same("named, and where it was", (named.display_name.as_str(), named.parent.as_str()), ("Line 1", "hall-2"));
    let alone = change_site(&client, "line", within(""), &["parent"]).await?.site.context("it")?;
    table.same("within none", alone.parent.as_str(), "");
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_eight_sites_lie_one_within_another() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let mut parent = String::new();
    for depth in 1..=8 {
        let id = format!("s{depth}");
        site(&client, &id, &parent, "").await?;
        parent = id;
    }
    let mut table = Table::default();
    let deep = (Code::InvalidArgument, "INVALID_FIELD", "site.parent");
    table.refused("a ninth", &site(&client, "s9", "s8", "").await, deep);
    site(&client, "above", "", "").await?;
    table.refused("one above all", &change_site(&client, "s1", within("above"), &["parent"]).await, deep);
    let moved = change_site(&client, "s2", within("above"), &["parent"]).await;
    table.check("as deep as before", moved.is_ok(), || format!("{moved:?}"));
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_outlives_the_edge_that_it_names() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    edge(&client, "press").await?;
    site(&client, "plant", "", "press").await?;
    super::delete_edge(&client, "press").await?;
    let mut table = Table::default();
    let noted = proto::Site { description: "noted".to_owned(), ..served_by("press") };
    let changed = change_site(&client, "plant", noted, &["description", "edge"]).await?.site.context("it")?;
    table.same("goes on naming it", changed.edge.as_str(), "press");
    let missing = (Code::NotFound, "PARENT_NOT_FOUND", "site.edge");
    table.refused("another names it", &site(&client, "yard", "", "press").await, missing);
    edge(&client, "press").await?;
    table.check("until it is there again", site(&client, "yard", "", "press").await.is_ok(), String::new);
    table.finish();
    Ok(())
}
