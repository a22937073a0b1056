//! Repairs: an edge that lost items, has some it should not have, or was away while things left its scope, ends with its scope.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use muster_client::proto;
use muster_domain::scope::content_hash;
use prost::Message;
use proto::sync_request::Message as Asked;
use proto::sync_response::Message as Told;

use super::edge::{Link, Store};
use super::{cluster, delete_device, device, move_device, patch};

/// Does what `sync.md` says at a mark that does not agree; how many items were fetched.
async fn repair(store: &mut Store, link: &mut Link, mark: &proto::SyncMark) -> anyhow::Result<usize> {
    link.received(mark.revision, false).await?;
    let (mut ranges, mut fetched) = (vec![store.range("", "")], 0);
    while !ranges.is_empty() {
        let compare =
            proto::SyncCompare { revision: mark.revision, ranges: std::mem::take(&mut ranges), contents: false };
        link.say(Asked::Compare(compare)).await?;
        let mut missing = Vec::new();
        for difference in differences(link).await? {
            for part in &difference.parts {
                let own = store.range(&part.start, &part.end);
                if own != *part {
                    ranges.push(own);
                }
            }
            if !difference.parts.is_empty() {
                continue;
            }
            let wanted: BTreeMap<_, _> =
                difference.entries.iter().map(|entry| (entry.name.clone(), entry.revision)).collect();
            let is_in =
                |name: &String| *name >= difference.start && (difference.end.is_empty() || *name < difference.end);
            store.items.retain(|name, (revision, _)| !is_in(name) || wanted.get(name) == Some(revision));
            missing.extend(wanted.into_keys().filter(|name| !store.items.contains_key(name)));
        }
        fetched += missing.len();
        for names in missing.chunks(200) {
            link.say(Asked::Fetch(proto::SyncFetch { names: names.to_vec() })).await?;
            let upto = link.items + names.len() as u64;
            while link.items < upto {
                let Some(Told::Items(items)) = link.next().await? else { anyhow::bail!("items come") };
                store.write(items.items);
            }
            link.received(store.cursor, false).await?;
        }
    }
    ensure!(store.agrees(mark), "repaired: {:?}", store.names());
    store.cursor = mark.revision;
    link.received(mark.revision, true).await?;
    Ok(fetched)
}

async fn differences(link: &mut Link) -> anyhow::Result<Vec<proto::SyncDifference>> {
    loop {
        match link.next().await?.context("the node ended the link")? {
            Told::Differences(differences) => return Ok(differences.differences),
            Told::Items(items) if items.items.is_empty() => {}
            other => anyhow::bail!("nothing newer is sent during a repair: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cursor_cannot_tell_is_repaired() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press", "paint"]).await?;
    let mut newest = 0;
    for at in 0..120 {
        newest = device(&client, &format!("d{at:03}"), if at == 7 { "paint" } else { "press" }, "").await?;
    }
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    press.follow(&mut link, newest).await?;
    drop(link);
    // Away: one is deleted, one goes to another edge, one is damaged, one lost.
    delete_device(&client, "d050").await?;
    move_device(&client, "d060", "paint").await?;
    let newest = patch(&client, "d003", r#"{"speed":1}"#).await?;
    press.items.remove("namespaces/plant1/devices/d100/twin").context("held")?;
    press.items.get_mut("namespaces/plant1/devices/d101").context("held")?.0 = 1;

    let mut link = press.connect(&cluster, 1).await?;
    let (came, mark) = link.mark().await?;
    ensure!(mark.check && mark.revision >= newest, "{mark:?}");
    press.write(came.clone());
    assert_eq!(came.len(), 1, "what changed after the cursor: {came:?}");
    ensure!(!press.agrees(&mark), "it cannot agree");
    // Meanwhile things change, and wait.
    let newest = patch(&client, "d004", r#"{"speed":2}"#).await?;
    let fetched = repair(&mut press, &mut link, &mark).await?;
    assert_eq!(fetched, 2, "the lost one and the damaged one");
    let came = press.follow(&mut link, newest).await?;
    assert_eq!(came.len(), 1, "what waited comes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_compared_and_strange_names_are_absent() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press", "paint"]).await?;
    device(&client, "other", "paint", "").await?;
    let newest = device(&client, "oven", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    let (came, mark) = link.mark().await?;
    press.write(came.clone());
    ensure!(mark.revision >= newest && press.agrees(&mark));
    let range = proto::SyncRange { hash: vec![0; 32].into(), ..proto::SyncRange::default() };
    let compare = proto::SyncCompare { revision: mark.revision, ranges: vec![range], contents: true };
    link.say(Asked::Compare(compare)).await?;
    let differences = differences(&mut link).await?;
    let told: Vec<_> = differences[0].entries.iter().map(|entry| (&entry.name, entry.hash.to_vec())).collect();
    let mut own: Vec<_> = came.iter().map(|item| (&item.name, content_hash(&item.encode_to_vec()).to_vec())).collect();
    own.sort();
    assert_eq!(told, own, "hashes of what was sent");

    let names = ["devices/other", "devices/nothing"].map(|name| format!("namespaces/plant1/{name}")).to_vec();
    link.say(Asked::Fetch(proto::SyncFetch { names: names.clone() })).await?;
    let Some(Told::Items(items)) = link.next().await? else { anyhow::bail!("items come") };
    let told: Vec<_> = items.items.iter().map(|item| (item.name.clone(), item.resource.is_none())).collect();
    assert_eq!(told, names.into_iter().map(|name| (name, true)).collect::<Vec<_>>());
    Ok(())
}
