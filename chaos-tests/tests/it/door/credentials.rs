//! Credentials that prove nothing, and certificates of the wrong authority.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use muster_chaos::eventually::eventually;
use muster_client::{Client, Code, proto};
use proto::Role;

use super::{pki, single, with_certificate, with_token};
use crate::table::{Table, code};
use crate::wire;

const STATUS: &str = "/muster.v1.ClusterService/GetStatus";

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_prove_nothing_open_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
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

    let expire_time = Some((SystemTime::now() + Duration::from_secs(10)).into());
    let token = proto::Token { role: Role::Viewer.into(), expire_time, ..Default::default() };
    let request = proto::CreateTokenRequest { token: Some(token), ..Default::default() };
    let short = with_token(&cluster, &admin.cluster().create_token(request).await?.secret)?;
    table.same("a token before it expires", status(short.clone()).await, Code::Ok);
    eventually("a token expires", Duration::from_secs(60), async || match status(short.clone()).await {
        Code::Unauthenticated => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_the_right_authority_connect() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
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
