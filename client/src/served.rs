//! How far edges are, asked of the nodes that serve them: any other node knows only what is on record.
//!
//! A node that cannot be asked changes nothing: what it alone knows stays unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt;

use crate::connection::Client;
use crate::error::CallError;
use crate::proto::{self, EdgeConnection, EdgeStatus};
use crate::retry::RetryPolicy;
use crate::{Cluster, Edges};

/// How long one node is asked; a first answer is there already.
const ASK_MAX: Duration = Duration::from_secs(3);

impl Cluster {
    /// A client of one member alone, which tries once; `None` when the member is not known or announces no address that
    /// is of use from here.
    ///
    /// # Errors
    /// When the status cannot be read.
    pub async fn client_of(&self, node_id: u64) -> Result<Option<Client>, CallError> {
        let status = self.status(proto::GetStatusRequest {}).await?;
        let member = status.members.into_iter().find(|member| member.node_id == node_id);
        let Some(address) = member.map(|member| member.client_address).filter(|address| !address.is_empty()) else {
            return Ok(None);
        };
        let once =
            RetryPolicy { deadline: ASK_MAX, attempt_timeout: ASK_MAX, attempts_max: 1, ..RetryPolicy::default() };
        Ok(self.client().only(&address, once).ok())
    }
}

impl Edges {
    /// How far an edge is, as the node that serves it knows it.
    ///
    /// # Errors
    /// When the call was refused or could not be made in time by any node.
    pub async fn status_where_served(
        &self,
        request: proto::GetEdgeStatusRequest,
    ) -> Result<Option<EdgeStatus>, CallError> {
        let told = self.status(request.clone()).await?.status;
        let Some(node_id) = told.as_ref().and_then(elsewhere) else { return Ok(told) };
        let Some(serving) = self.client().cluster().client_of(node_id).await.ok().flatten() else { return Ok(told) };
        let better = serving.edges().status(request).await.ok().and_then(|answer| answer.status);
        Ok(better.or(told))
    }

    /// How far all edges of a list are, each as the node that serves it knows it, in the order of ids.
    ///
    /// # Errors
    /// As above.
    pub async fn statuses_where_served(
        &self,
        request: proto::ListEdgeStatusesRequest,
    ) -> Result<Vec<EdgeStatus>, CallError> {
        let mut told: Vec<EdgeStatus> = self.list_statuses_all(request.clone()).try_collect().await?;
        let mut nodes: Vec<u64> = told.iter().filter_map(elsewhere).collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node_id in nodes {
            let serving = self.client().cluster().client_of(node_id).await.ok().flatten();
            let Some(serving) = serving else { continue };
            let Ok(known) = serving.edges().list_statuses_all(request.clone()).try_collect::<Vec<_>>().await else {
                continue;
            };
            let mut known: BTreeMap<String, EdgeStatus> =
                known.into_iter().map(|status| (status.name.clone(), status)).collect();
            for status in told.iter_mut().filter(|status| elsewhere(status) == Some(node_id)) {
                if let Some(better) = known.remove(&status.name) {
                    *status = better;
                }
            }
        }
        Ok(told)
    }
}

/// The node that knows more.
fn elsewhere(status: &EdgeStatus) -> Option<u64> {
    let unknown = status.connection() == EdgeConnection::Unknown;
    status.session.as_ref().filter(|_| unknown).map(|session| session.node_id)
}
