//! What a cluster is asked from outside: clients of its members, and conditions that are waited for.

use std::time::Duration;

use anyhow::Context;
use muster_client::{Client, ClientConfig, RetryPolicy, proto};

use super::Cluster;
use crate::eventually::eventually;

impl Cluster {
    /// Waits until `wanted` holds for the list of members.
    ///
    /// # Errors
    /// When that takes more than 60 s.
    pub async fn wait_for_members(
        &self,
        what: &str,
        wanted: impl Fn(&[proto::Member]) -> bool,
    ) -> anyhow::Result<Vec<proto::Member>> {
        let client = self.client()?;
        eventually(what, Duration::from_secs(60), async || {
            let request = proto::ListMembersRequest { show_removed: false };
            let members = client.members().list(request).await.map_err(|error| error.to_string())?.members;
            if wanted(&members) { Ok(members) } else { Err(format!("{members:?}")) }
        })
        .await
    }

    /// A client of the given members, as admin, that retries for up to 30 s.
    ///
    /// # Errors
    /// When certificates are missing.
    pub fn client_of(&self, ids: &[u64]) -> anyhow::Result<Client> {
        Ok(Client::new(self.client_config(ids)?.token_file(self.pki().join("admin.token"))?)?)
    }

    /// A client of all members, as admin.
    ///
    /// # Errors
    /// When certificates are missing.
    pub fn client(&self) -> anyhow::Result<Client> {
        self.client_of(&self.ids())
    }

    /// Settings of a client of the given members, without credentials.
    ///
    /// # Errors
    /// When certificates are missing.
    pub fn client_config(&self, ids: &[u64]) -> anyhow::Result<ClientConfig> {
        let endpoints: Vec<String> = ids.iter().map(|id| self.endpoint(*id)).collect();
        let retry = RetryPolicy { attempt_timeout: Duration::from_secs(5), ..RetryPolicy::default() };
        Ok(ClientConfig::new(endpoints)
            .ca_file(self.pki().join("client-ca.crt"))?
            .server_name("localhost")
            .retry(retry))
    }

    /// The address of a member for clients.
    #[must_use]
    pub fn endpoint(&self, id: u64) -> String {
        format!("https://127.0.0.1:{}", self.node(id).client_port)
    }

    /// The status as one member sees it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn status_of(&self, id: u64) -> anyhow::Result<proto::GetStatusResponse> {
        Ok(self.client_of(&[id])?.cluster().status(proto::GetStatusRequest {}).await?)
    }

    /// The leader that the members in reach agree on.
    ///
    /// # Errors
    /// When there is none for 20 s.
    pub async fn leader(&self) -> anyhow::Result<u64> {
        let client = self.client()?;
        eventually("a leader", Duration::from_secs(20), async || {
            let status =
                client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
            match status.leader_id {
                0 => Err("no leader is known".to_owned()),
                id => Ok(id),
            }
        })
        .await
    }

    /// Waits until all members are in reach and writes are accepted.
    ///
    /// # Errors
    /// When that takes more than 60 s.
    pub async fn wait_until_whole(&self) -> anyhow::Result<()> {
        let client = self.client()?;
        let nodes = self.nodes.len();
        eventually("all members in reach", Duration::from_secs(60), async || {
            let status =
                client.cluster().status(proto::GetStatusRequest {}).await.map_err(|error| error.to_string())?;
            let reachable = status.members.iter().filter(|member| member.reachable).count();
            if status.can_write && reachable == nodes {
                Ok(())
            } else {
                Err(format!("{reachable} of {nodes} in reach, writes accepted: {}", status.can_write))
            }
        })
        .await
        .with_context(|| self.last_words())
    }
}
