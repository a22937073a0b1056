//! Calls about the cluster itself and about API tokens; and learning where its members are.

use crate::calls::noun;
use crate::error::CallError;
use crate::proto;

noun! {
    /// The cluster and its tokens.
    Cluster, cluster, ClusterServiceClient in cluster_service_client;
    /// Members, leader, revisions.
    read status(GetStatusRequest) -> GetStatusResponse = get_status;
    /// The chain hash of the node that answers.
    read chain_hash(GetChainHashRequest) -> GetChainHashResponse = get_chain_hash;
    /// Makes a token; the only answer with its secret.
    write create_token(CreateTokenRequest) -> CreateTokenResponse = create_token;
    /// One page of tokens; see [`Self::list_tokens_all`].
    read list_tokens(ListTokensRequest) -> ListTokensResponse = list_tokens;
    /// Ends a token.
    write revoke_token(RevokeTokenRequest) -> RevokeTokenResponse = revoke_token;
}

impl Cluster {
    /// Adds the client addresses of all members to the endpoints, so that the client outlives those it was given.
    /// Members are taken to speak as the first endpoint does, `https://` or `http://`.
    ///
    /// # Errors
    /// When the status cannot be read.
    pub async fn learn_members(&self) -> Result<(), CallError> {
        let status = self.status(proto::GetStatusRequest {}).await?;
        let encrypted = self.client.endpoints().first().is_some_and(|endpoint| endpoint.starts_with("https://"));
        let scheme = if encrypted { "https" } else { "http" };
        for member in status.members.iter().filter(|member| !member.client_address.is_empty()) {
            self.client.learn(&format!("{scheme}://{}", member.client_address));
        }
        Ok(())
    }
}
