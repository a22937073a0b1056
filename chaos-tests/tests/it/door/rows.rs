//! The row of every RPC, held against a real node: who has no credentials, or too low a role, is refused.

use anyhow::Context;
use muster_client::Code;
use muster_client::proto::Role;
use muster_node::authorize::table::{Access, ROWS};
use tonic::Status;
use tonic_types::StatusExt;

use super::{OWN, single};
use crate::table::Table;
use crate::wire;

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Whether the role meets the least that a row asks for; written out again, apart from the code under test.
fn meets(role: Role, access: Access) -> bool {
    if access == Access::Edge {
        return role == Role::Edge;
    }
    let rank = |role: Role| match role {
        Role::Unspecified => 0,
        Role::Device | Role::Edge => 1,
        Role::Viewer => 2,
        Role::Operator => 3,
        Role::Admin => 4,
    };
    let least = match access {
        Access::Public => Role::Unspecified,
        Access::Anyone | Access::Edge => Role::Device,
        Access::Viewer => Role::Viewer,
        Access::Operator => Role::Operator,
        Access::Admin => Role::Admin,
    };
    rank(role) >= rank(least)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rpc_asks_for_credentials_and_for_the_role_of_its_row() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    let channel = wire::anonymous(&cluster)?;
    let mut callers = Vec::new();
    for role in [Role::Device, Role::Edge, Role::Viewer, Role::Operator, Role::Admin] {
        let (namespace, of) = match role {
            Role::Device => (OWN, "pump7"),
            Role::Edge => (OWN, "hall4"),
            _ => ("", ""),
        };
        callers.push((role, wire::token(&admin, role, namespace, of).await?.1));
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
        table.same(
            &format!("{path}, which has no row"),
            refusal.map(|status| status.code()),
            Some(Code::PermissionDenied),
        );
    }
    table.finish();
    Ok(())
}
