//! Who gets in, and how far: credentials, roles, the row of every RPC, and the listener of the peers.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options, binary};
use muster_chaos::eventually::eventually;
use muster_client::{Client, Code, names, proto};
use muster_node::authorize::table::{Access, ROWS};
use proto::Role;
use tokio::process::Command;
use tonic::Status;
use tonic_types::StatusExt;

use crate::table::{Table, code};
use crate::wire;

/// The namespace that scoped callers belong to, and another.
const OWN: &str = "plant1";
const OTHER: &str = "plant2";
const STATUS: &str = "/muster.v1.ClusterService/GetStatus";

async fn single() -> anyhow::Result<(Cluster, Client)> {
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let admin = cluster.client()?;
    for namespace_id in [OWN, OTHER] {
        let request = proto::CreateNamespaceRequest { namespace_id: namespace_id.to_owned(), ..Default::default() };
        admin.namespaces().create(request).await?;
        for device_id in ["pump7", "pump8"] {
            let parent = names::namespace(namespace_id);
            let request = proto::CreateDeviceRequest { parent, device_id: device_id.to_owned(), ..Default::default() };
            admin.devices().create(request).await?;
        }
    }
    admin.twins().patch(patch(OWN, "pump7", 0)).await?;
    Ok((cluster, admin))
}

fn patch(namespace: &str, device: &str, value: u64) -> proto::PatchTwinRequest {
    proto::PatchTwinRequest {
        name: names::twin(namespace, device),
        tags_json: Some("{\"owner\":\"back end\"}".to_owned()),
        desired_json: Some(format!("{{\"value\":{value}}}")),
        ..Default::default()
    }
}

fn report(namespace: &str, device: &str) -> proto::ReportPropertiesRequest {
    proto::ReportPropertiesRequest {
        name: names::twin(namespace, device),
        reported_json: "{\"seen\":true}".to_owned(),
        ..Default::default()
    }
}

fn twin(namespace: &str, device: &str) -> proto::GetTwinRequest {
    proto::GetTwinRequest { name: names::twin(namespace, device), ..Default::default() }
}

fn tags(namespace: &str, device: &str) -> proto::GetTwinRequest {
    proto::GetTwinRequest { section: proto::TwinSection::Tags.into(), ..twin(namespace, device) }
}

fn list(namespace: &str) -> proto::ListDevicesRequest {
    proto::ListDevicesRequest { parent: names::namespace(namespace), ..Default::default() }
}

fn keys(namespace: &str) -> proto::GetDeviceKeysRequest {
    proto::GetDeviceKeysRequest { name: names::device(namespace, "pump7"), ..Default::default() }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

async fn pki(arguments: &[&str], folder: &Path) -> anyhow::Result<()> {
    let made = Command::new(binary("musterd")?).arg("pki").args(arguments).arg("--dir").arg(folder).output().await?;
    ensure!(made.status.success(), "musterd pki {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

fn with_token(cluster: &Cluster, token: &str) -> anyhow::Result<Client> {
    Ok(Client::new(wire::once(cluster)?.token(token))?)
}

fn with_certificate(cluster: &Cluster, name: &str) -> anyhow::Result<Client> {
    let file = |ending: &str| cluster.pki().join(format!("{name}.{ending}"));
    Ok(Client::new(wire::once(cluster)?.identity_files(file("crt"), file("key"))?)?)
}

/// Whether the role meets the least that a row asks for; written out again, apart from the code under test.
fn meets(role: Role, access: Access) -> bool {
    let rank = |role: Role| match role {
        Role::Unspecified => 0,
        Role::Device => 1,
        Role::Viewer => 2,
        Role::Operator => 3,
        Role::Admin => 4,
    };
    let least = match access {
        Access::Public => Role::Unspecified,
        Access::Anyone => Role::Device,
        Access::Viewer => Role::Viewer,
        Access::Operator => Role::Operator,
        Access::Admin => Role::Admin,
    };
    rank(role) >= rank(least)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rpc_asks_for_credentials_and_for_the_role_of_its_row() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (cluster, admin) = single().await?;
    let channel = wire::anonymous(&cluster)?;
    let mut callers = Vec::new();
    for role in [Role::Device, Role::Viewer, Role::Operator, Role::Admin] {
        let (namespace, device) = if role == Role::Device { (OWN, "pump7") } else { ("", "") };
        callers.push((role, wire::token(&admin, role, namespace, device).await?.1));
    }
    let mut table = Table::default();
    for (path, access) in ROWS.iter().filter(|(_, access)| *access != Access::Public) {
        let refusal = wire::call(&channel, path, None, Vec::new()).await.err();
        let found = refusal.map(|status| (status.code(), reason(&status)));
        let expected = Some((Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
        table.same(&format!("{path} without credentials"), found, expected);
        for (role, token) in &callers {
            let outcome = wire::call(&channel, path, Some(token), Vec::new()).await;
            let found = outcome.as_ref().map_or_else(Status::code, |_| Code::Ok);
            let case = format!("{path} as {role:?}, whose row says {access:?}");
            if meets(*role, *access) {
                // What it may not do with an empty message is another matter.
                let right = !matches!(found, Code::Unauthenticated | Code::PermissionDenied | Code::DeadlineExceeded);
                table.check(&case, right, || format!("{outcome:?}"));
            } else {
                let found = outcome.err().map(|status| (status.code(), reason(&status)));
                table.same(&case, found, Some((Code::PermissionDenied, "PERMISSION_DENIED".to_owned())));
            }
        }
    }
    let (_, admin_token) = callers.pop().context("the admin's token")?;
    for path in ["/muster.v1.TwinService/Nothing", "/muster.peer.v1.PeerService/Forward", "/nothing", "/"] {
        let refusal = wire::call(&channel, path, Some(&admin_token), Vec::new()).await.err();
        table.same(&format!("{path}, which has no row"), refusal.map(|status| status.code()), Some(Code::PermissionDenied));
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_prove_nothing_open_nothing() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (cluster, admin) = single().await?;
    let status = async |client: Client| code(&client.cluster().status(proto::GetStatusRequest {}).await);
    let mut table = Table::default();

    let (id, good) = wire::token(&admin, Role::Viewer, "", "").await?;
    table.same("a good token", status(with_token(&cluster, &good)?).await, Code::Ok);
    table.same("no credentials", status(Client::new(wire::once(&cluster)?)?).await, Code::Unauthenticated);
    let (_, secret) = good.rsplit_once('_').context("a secret")?;
    let changed = good.strip_suffix(|_: char| true).context("a token")?;
    let changed = format!("{changed}{}", if good.ends_with('0') { '1' } else { '0' });
    for (case, token) in [
        ("an empty token", String::new()),
        ("a token without its parts", "mst_".to_owned()),
        ("a text that is no token", "let me in".to_owned()),
        ("a token that is cut", good[..good.len() - 1].to_owned()),
        ("a token that is too long", format!("{good}0")),
        ("a token with another secret", changed),
        ("a token of another id", format!("mst_000000000000_{secret}")),
        ("a token in upper case", good.to_uppercase()),
        ("a very long token", format!("mst_{id}_{}", "0".repeat(4_000))),
    ] {
        table.same(case, status(with_token(&cluster, &token)?).await, Code::Unauthenticated);
    }

    table.same("the admin's certificate", status(with_certificate(&cluster, "admin")?).await, Code::Ok);
    let file = |name: &str| cluster.pki().join(name);
    let both = wire::once(&cluster)?.identity_files(file("admin.crt"), file("admin.key"))?.token(format!("mst_{id}_x"));
    table.same("a bad token beside a good certificate", status(Client::new(both)?).await, Code::Unauthenticated);

    let request = proto::RevokeTokenRequest { token_id: id, ..Default::default() };
    admin.cluster().revoke_token(request).await?;
    table.same("a revoked token", status(with_token(&cluster, &good)?).await, Code::Unauthenticated);

    let expire_time = Some((SystemTime::now() + Duration::from_secs(3)).into());
    let token = proto::Token { role: Role::Viewer.into(), expire_time, ..Default::default() };
    let request = proto::CreateTokenRequest { token: Some(token), ..Default::default() };
    let short = with_token(&cluster, &admin.cluster().create_token(request).await?.secret)?;
    table.same("a token before it expires", status(short.clone()).await, Code::Ok);
    eventually("a token expires", Duration::from_secs(20), async || match status(short.clone()).await {
        Code::Unauthenticated => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_the_right_authority_connect() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (cluster, _) = single().await?;
    pki(&["init", "--nodes", "1"], &cluster.scratch().join("other")).await?;
    let mut table = Table::default();
    let clients = cluster.endpoint(1);
    let peers = format!("https://{}", wire::listener(&cluster, "peer_listener")?);
    let cluster_id = std::fs::read_to_string(cluster.pki().join("cluster-id"))?;
    let peer_name = format!("{}.peer.muster.internal", cluster_id.trim());
    let client_side = (clients.as_str(), ("client-ca.crt", "localhost"));
    let peer_side = (peers.as_str(), ("peer-ca.crt", peer_name.as_str()));
    for (case, (address, server), identity, connects) in [
        ("clients: no certificate", client_side, None, true),
        ("clients: the admin's certificate", client_side, Some("admin"), true),
        ("clients: a certificate of another authority", client_side, Some("../other/admin"), false),
        ("clients: a peer's certificate", client_side, Some("nodes/n1/peer"), false),
        ("peers: a peer's certificate", peer_side, Some("nodes/n1/peer"), true),
        ("peers: no certificate", peer_side, None, false),
        ("peers: the admin's certificate", peer_side, Some("admin"), false),
        ("peers: the server certificate for clients", peer_side, Some("nodes/n1/server"), false),
        ("peers: a peer's certificate of another cluster", peer_side, Some("../other/nodes/n1/peer"), false),
    ] {
        let channel = wire::channel(&cluster, address, server, identity)?;
        let outcome = wire::call(&channel, STATUS, None, Vec::new()).await;
        let cut = outcome.as_ref().is_err_and(wire::is_cut);
        table.same(case, !cut, connects);
        if connects && address == peers {
            table.check("peers serve no API", outcome.is_err(), || format!("{outcome:?}"));
        }
    }
    for (case, address) in [("clients: a plain connection", &clients), ("peers: a plain connection", &peers)] {
        let plain = tonic::transport::Endpoint::from_shared(address.replacen("https", "http", 1))?.connect_lazy();
        let outcome = wire::call(&plain, STATUS, None, Vec::new()).await;
        table.check(case, outcome.as_ref().is_err_and(wire::is_cut), || format!("{outcome:?}"));
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_reach_as_far_as_they_say() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (cluster, admin) = single().await?;
    let mut table = Table::default();
    let token = async |role, namespace: &str| {
        anyhow::Ok(with_token(&cluster, &wire::token(&admin, role, namespace, "").await?.1)?)
    };
    let (ok, denied) = (Code::Ok, Code::PermissionDenied);
    let of_a_token = [
        ("viewer", token(Role::Viewer, "").await?, [ok, ok, denied, denied, denied, denied, denied]),
        ("viewer of its namespace", token(Role::Viewer, OWN).await?, [ok, denied, denied, denied, denied, denied, denied]),
        ("operator", token(Role::Operator, "").await?, [ok, ok, ok, ok, ok, ok, denied]),
        ("operator of its namespace", token(Role::Operator, OWN).await?, [ok, denied, ok, denied, ok, denied, denied]),
        ("admin", token(Role::Admin, "").await?, [ok; 7]),
    ];
    for (who, client, expected) in of_a_token {
        let found = [
            code(&client.devices().list(list(OWN)).await),
            code(&client.twins().get(twin(OTHER, "pump7")).await),
            code(&client.twins().patch(patch(OWN, "pump7", 1)).await),
            code(&client.twins().patch(patch(OTHER, "pump7", 1)).await),
            code(&client.devices().keys(keys(OWN)).await),
            code(&client.devices().keys(keys(OTHER)).await),
            code(&client.cluster().list_tokens(proto::ListTokensRequest::default()).await),
        ];
        table.same(&format!("{who}: list own, get other, patch own, patch other, keys own, keys other, tokens"), found, expected);
    }
    scoped_callers(&cluster, &admin, &mut table).await?;
    table.finish();
    Ok(())
}

/// What a caller that is bound to a namespace sees of the cluster.
async fn scoped_callers(cluster: &Cluster, admin: &Client, table: &mut Table) -> anyhow::Result<()> {
    let operator = with_token(cluster, &wire::token(admin, Role::Operator, OWN, "").await?.1)?;
    let seen = operator.namespaces().list(proto::ListNamespacesRequest::default()).await?.namespaces;
    let seen: Vec<_> = seen.into_iter().map(|namespace| namespace.name).collect();
    table.same("a scoped operator lists its namespace only", seen, vec![names::namespace(OWN)]);
    let all = operator.history().list_events(proto::ListEventsRequest::default()).await;
    table.same("a scoped operator does not read all history", code(&all), Code::PermissionDenied);
    let resource = names::namespace(OTHER);
    let other = operator.history().list_events(proto::ListEventsRequest { resource, ..Default::default() }).await;
    table.same("nor that of another namespace", code(&other), Code::PermissionDenied);
    let past = proto::GetAtRequest { name: names::twin(OTHER, "pump7"), revision: 1, ..Default::default() };
    table.same("nor its past", code(&operator.history().get_at(past).await), Code::PermissionDenied);
    let request = proto::BatchPatchTwinsRequest {
        parent: names::namespace(OTHER),
        requests: vec![patch(OTHER, "pump7", 9)],
        ..Default::default()
    };
    let batch = operator.twins().batch_patch(request).await;
    table.same("nor patches there in a batch", code(&batch), Code::PermissionDenied);
    let smuggled = proto::BatchPatchTwinsRequest {
        parent: names::namespace(OWN),
        requests: vec![patch(OTHER, "pump7", 9)],
        atomic: true,
        ..Default::default()
    };
    let smuggled = operator.twins().batch_patch(smuggled).await;
    table.same("nor under its own namespace's name", code(&smuggled), Code::InvalidArgument);
    let name = names::namespace(OWN);
    let request = proto::DeleteNamespaceRequest { name, force: true, ..Default::default() };
    let deleted = operator.namespaces().delete(request).await;
    table.same("nor deletes its own namespace", code(&deleted), Code::PermissionDenied);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_reaches_its_own_twin_only() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (cluster, admin) = single().await?;
    let issue = ["issue-client", "--role", "device", "--name", "pump7", "--namespace", OWN, "--device", "pump7"];
    pki(&issue, &cluster.pki()).await?;
    let token = wire::token(&admin, Role::Device, OWN, "pump7").await?.1;
    let mut table = Table::default();
    for (how, device) in [("token", with_token(&cluster, &token)?), ("certificate", with_certificate(&cluster, "pump7")?)] {
        let own = device.twins().get(twin(OWN, "pump7")).await?.twin.context("a twin")?;
        table.same(&format!("{how}: desired is there"), own.desired.map(|desired| desired.json), Some("{\"value\":0}".to_owned()));
        table.same(&format!("{how}: tags are not"), own.tags, None);
        let refused = [
            ("its tags", code(&device.twins().get(tags(OWN, "pump7")).await)),
            ("another's twin", code(&device.twins().get(twin(OWN, "pump8")).await)),
            ("its namesake's twin elsewhere", code(&device.twins().get(twin(OTHER, "pump7")).await)),
            ("a twin that is not there", code(&device.twins().get(twin(OWN, "nothing")).await)),
            ("another's report", code(&device.twins().report(report(OWN, "pump8")).await)),
            ("its namesake's report elsewhere", code(&device.twins().report(report(OTHER, "pump7")).await)),
            ("its own desired", code(&device.twins().patch(patch(OWN, "pump7", 9)).await)),
            ("a stream of patches", device.twins().patch_stream().await.err().map_or(Code::Ok, |error| error.code())),
            ("a list", code(&device.devices().list(list(OWN)).await)),
            ("its keys", code(&device.devices().keys(keys(OWN)).await)),
            ("the status", code(&device.cluster().status(proto::GetStatusRequest {}).await)),
        ];
        for (what, found) in refused {
            table.same(&format!("{how}: {what}"), found, Code::PermissionDenied);
        }
        table.same(&format!("{how}: its report"), code(&device.twins().report(report(OWN, "pump7")).await), Code::Ok);
        let name = names::device(OWN, "pump7");
        let request = proto::SetDeviceStatusRequest { name, ..Default::default() };
        admin.devices().disable(request.clone()).await?;
        let disabled = [
            code(&device.twins().get(twin(OWN, "pump7")).await),
            code(&device.twins().report(report(OWN, "pump7")).await),
        ];
        table.same(&format!("{how}: nothing while it is disabled"), disabled, [Code::FailedPrecondition; 2]);
        admin.devices().enable(request).await?;
        table.same(&format!("{how}: enabled again"), code(&device.twins().get(twin(OWN, "pump7")).await), Code::Ok);
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_stops_at_once_also_on_an_open_stream() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (cluster, admin) = single().await?;
    let (token_id, token) = wire::token(&admin, Role::Operator, OWN, "").await?;
    let operator = with_token(&cluster, &token)?;
    let (mut patches, mut answers) = operator.twins().patch_stream().await?;
    for value in 1..=3 {
        patches.send(patch(OWN, "pump7", value)).await.ok().context("the stream is open")?;
        let answer = answers.next().await?.context("an answer")?;
        ensure!(answer.error.is_none() && answer.revision > 0, "{answer:?}");
    }
    admin.cluster().revoke_token(proto::RevokeTokenRequest { token_id, ..Default::default() }).await?;
    for value in 4..=5 {
        patches.send(patch(OWN, "pump7", value)).await.ok().context("the stream is open")?;
        let answer = answers.next().await?.context("an answer")?;
        let error = answer.error.context("the token is revoked")?;
        assert_eq!((answer.revision, error.reason.as_str()), (0, "PERMISSION_DENIED"), "{error:?}");
        assert_eq!(Code::from(error.code), Code::PermissionDenied);
    }
    let twin = admin.twins().get(twin(OWN, "pump7")).await?.twin.context("a twin")?;
    assert_eq!(twin.desired.context("desired")?.json, "{\"value\":3}", "nothing after the revocation took effect");
    let refused = operator.twins().patch_stream().await.err().context("no new stream")?;
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_say_who_did_it_and_from_where() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (cluster, admin) = single().await?;
    let issue = ["issue-client", "--role", "device", "--name", "pump8", "--namespace", OWN, "--device", "pump8"];
    pki(&issue, &cluster.pki()).await?;
    pki(&["issue-client", "--role", "operator", "--name", "alice"], &cluster.pki()).await?;
    let (id, token) = wire::token(&admin, Role::Operator, OWN, "").await?;
    let before = cluster.status_of(1).await?.header.context("a header")?.revision;
    with_token(&cluster, &token)?.twins().patch(patch(OWN, "pump8", 1)).await?;
    with_certificate(&cluster, "alice")?.twins().patch(patch(OWN, "pump8", 2)).await?;
    with_certificate(&cluster, "pump8")?.twins().report(report(OWN, "pump8")).await?;
    let resource = names::twin(OWN, "pump8");
    let request = proto::ListEventsRequest { resource, from_revision: before + 1, ..Default::default() };
    let events = admin.history().list_events(request).await?.events;
    let found: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.actor.as_str())).collect();
    let by_token = format!("token:{id}");
    let expected = [
        ("twin.patched", by_token.as_str()),
        ("twin.patched", "user:alice"),
        ("twin.reported", "device:plant1/pump8"),
    ];
    assert_eq!(found, expected);
    for event in &events {
        let origin: SocketAddr = event.origin.parse().with_context(|| format!("{event:?}"))?;
        assert!(origin.ip().is_loopback() && origin.port() != 0, "{event:?}");
        assert!(!event.request_id.is_empty() && event.time.is_some(), "{event:?}");
    }
    Ok(())
}
