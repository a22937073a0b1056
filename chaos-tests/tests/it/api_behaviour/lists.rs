//! Lists and history: every page is told as of the revision of the first one, and the past does not change.

use muster_client::{Client, Code, names, proto};

use super::{NAMESPACE, create_devices, delete, desired, device, events, present, revision, single};
use crate::table::code;

fn list(page_size: i32, page_token: &str) -> proto::ListDevicesRequest {
    proto::ListDevicesRequest {
        parent: names::namespace(NAMESPACE),
        page_size,
        page_token: page_token.to_owned(),
        ..Default::default()
    }
}

fn ids(devices: &[proto::Device]) -> Vec<String> {
    devices.iter().map(|device| names::last(&device.name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_stay_at_the_revision_of_the_first_one() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let all: Vec<String> = (0..25).map(|at| format!("d{at:02}")).collect();
    create_devices(&client, all.iter().cloned()).await?;
    let devices = client.devices();

    let first = devices.list(list(10, "")).await?;
    let mut seen = ids(&first.devices);
    devices.delete(delete("d12")).await?;
    devices.create(device("d12a")).await?;
    let name = names::device(NAMESPACE, "d15");
    devices.disable(proto::SetDeviceStatusRequest { name, ..Default::default() }).await?;
    // The size of a page may change from page to page; what is listed may not.
    let second = devices.list(list(7, &first.next_page_token)).await?;
    devices.delete(delete("d20")).await?;
    let third = devices.list(list(1_000, &second.next_page_token)).await?;
    for page in [&second, &third] {
        assert_eq!(revision(page.header.as_ref()), revision(first.header.as_ref()));
        seen.extend(ids(&page.devices));
    }
    assert_eq!(seen, all, "as it was when the list began");
    assert_eq!(third.next_page_token, "");
    let was = second.devices.iter().find(|device| device.name.ends_with("/d15")).map(|device| device.status);
    assert_eq!(was, Some(proto::DeviceStatus::Enabled.into()), "records too are as they were");

    let now = ids(&devices.list(list(0, "")).await?.devices);
    let expected: Vec<String> = all
        .iter()
        .map(|id| if id == "d12" { "d12a".to_owned() } else { id.clone() })
        .filter(|id| id != "d20")
        .collect();
    assert_eq!(now, expected, "a new list shows what is there now");
    let disabled = proto::ListDevicesRequest { status: proto::DeviceStatus::Disabled.into(), ..list(0, "") };
    assert_eq!(ids(&devices.list(disabled).await?.devices), ["d15"]);
    let prefix = proto::ListDevicesRequest { prefix: "d1".to_owned(), ..list(0, "") };
    assert_eq!(devices.list(prefix).await?.devices.len(), 10);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_shown_as_it_was() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let created = revision(client.devices().create(device("pump7")).await?.header.as_ref());
    let mut patched = Vec::new();
    for value in 1..=3 {
        let answer = client.twins().patch(desired("pump7", &format!("{{\"value\":{value}}}"))).await?;
        patched.push(revision(answer.header.as_ref()));
    }
    let deleted = revision(client.devices().delete(delete("pump7")).await?.header.as_ref());

    for (value, revision) in (1..).zip(&patched) {
        let (changed_at, resource) = get_at(&client, names::twin(NAMESPACE, "pump7"), *revision).await?;
        let proto::get_at_response::Resource::Twin(twin) = resource else { anyhow::bail!("not a twin: {resource:?}") };
        assert_eq!(present(twin.desired)?.json, format!("{{\"value\":{value}}}"));
        assert_eq!(changed_at, *revision);
    }
    let (changed_at, resource) = get_at(&client, names::device(NAMESPACE, "pump7"), deleted - 1).await?;
    let proto::get_at_response::Resource::Device(was) = resource else { anyhow::bail!("not a device: {resource:?}") };
    assert_eq!((changed_at, was.generation_id), (created, created.to_string()));
    for (revision, what) in [(created - 1, "before it was made"), (deleted, "after it was deleted")] {
        for name in [names::device(NAMESPACE, "pump7"), names::twin(NAMESPACE, "pump7")] {
            let request = proto::GetAtRequest { name, revision, ..Default::default() };
            assert_eq!(code(&client.history().get_at(request).await), Code::NotFound, "{what}");
        }
    }
    Ok(())
}

async fn get_at(
    client: &Client,
    name: String,
    revision: u64,
) -> anyhow::Result<(u64, proto::get_at_response::Resource)> {
    let answer = client.history().get_at(proto::GetAtRequest { name, revision, ..Default::default() }).await?;
    Ok((answer.changed_at, present(answer.resource)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_filtered_by_resource_kind_actor_and_revision() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = single().await?;
    let other = proto::CreateNamespaceRequest { namespace_id: "plant2".to_owned(), ..Default::default() };
    client.namespaces().create(other).await?;
    create_devices(&client, (0..3).map(|at| format!("d{at}"))).await?;
    for at in 0..12 {
        client.twins().patch(desired(&format!("d{}", at % 3), &format!("{{\"value\":{at}}}"))).await?;
    }
    let file = |ending: &str| cluster.pki().join(format!("admin.{ending}"));
    let by_certificate = Client::new(cluster.client_config(&[1])?.identity_files(file("crt"), file("key"))?)?;
    by_certificate.devices().delete(delete("d2")).await?;

    let none = proto::ListEventsRequest::default;
    let kinds = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
    let found = async |request| {
        anyhow::Ok(events(&client, request).await?.into_iter().map(|event| event.kind).collect::<Vec<_>>())
    };

    let whole = events(&client, none()).await?;
    let order: Vec<_> = whole.iter().map(|event| (event.revision, event.index)).collect();
    assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0] != pair[1]), "{order:?}");
    let revisions: std::collections::BTreeSet<_> = whole.iter().map(|event| event.revision).collect();
    assert!(revisions.iter().copied().eq(1..=*present(revisions.last())?), "revisions have no gaps: {revisions:?}");

    let twin = names::twin(NAMESPACE, "d1");
    let of_twin = proto::ListEventsRequest { resource: twin.clone(), ..none() };
    assert_eq!(
        found(of_twin.clone()).await?,
        ["twin.created", "twin.patched", "twin.patched", "twin.patched", "twin.patched"]
    );
    let patches = proto::ListEventsRequest { kinds: kinds(&["twin.patched"]), ..none() };
    assert_eq!(found(patches.clone()).await?.len(), 12);
    let families = proto::ListEventsRequest { kinds: kinds(&["device.*", "namespace.created"]), ..none() };
    let families = found(families).await?;
    assert_eq!(families.iter().filter(|kind| *kind == "namespace.created").count(), 2);
    assert_eq!(families.iter().filter(|kind| *kind == "device.created").count(), 3);
    assert_eq!(families.last().map(String::as_str), Some("device.deleted"));
    assert_eq!(families.len(), 6);
    let elsewhere = proto::ListEventsRequest { resource: names::namespace("plant2"), ..none() };
    assert_eq!(found(elsewhere).await?, ["namespace.created"]);
    let actor = proto::ListEventsRequest { actor: "user:admin".to_owned(), ..none() };
    assert_eq!(found(actor).await?, ["twin.deleted", "device.deleted"]);

    let all = events(&client, patches.clone()).await?;
    let between =
        proto::ListEventsRequest { from_revision: all[3].revision, to_revision: all[7].revision, ..patches.clone() };
    assert_eq!(events(&client, between).await?, all[3..=7]);
    let beyond = proto::ListEventsRequest { from_revision: u64::MAX, ..none() };
    assert!(found(beyond).await?.is_empty());
    let first = client.history().list_events(proto::ListEventsRequest { page_size: 5, ..patches.clone() }).await?;
    client.twins().patch(desired("d0", "{\"later\":1}")).await?;
    let (mut paged, mut token) = (first.events, first.next_page_token);
    while !token.is_empty() {
        let request = proto::ListEventsRequest { page_size: 5, page_token: token, ..patches.clone() };
        let page = client.history().list_events(request).await?;
        paged.extend(page.events);
        token = page.next_page_token;
    }
    assert_eq!(paged, all, "pages add up to the whole, as of the first page");
    Ok(())
}
