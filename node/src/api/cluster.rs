//! `ClusterService`: status, chain hashes and API tokens. It knows no membership; [`crate::node`] gathers the status.
//!
//! - The secret of a token exists in one answer only. A retry of `CreateToken` under the same request id names the token
//!   that the first call made, without its secret: revoke it and make another when that answer was lost.

use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::{EventKind, Key, Operation, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::cluster_service_server::ClusterService;
use tonic::{Request, Response, Status};

use super::history::{check_floor, check_past};
use super::pages::{Asked, Page};
use super::read::{Read, header};
use super::status::Failure;
use super::write::{Done, Write, required};
use crate::convert;
use crate::node::Services;
use crate::read::{Consistency, EventFilter, EventScope, ListRange};
use crate::token::{self, hex};

/// The cluster and its tokens.
pub(crate) struct ClusterApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl ClusterService for ClusterApi {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let (read, _) = Read::begin(&self.0, request)?;
        read.allow(ReadScope::Cluster)?;
        let mut status = read.services.status.get().await;
        status.header = read.header(read.services.reader.local().revision());
        Ok(Response::new(status))
    }

    async fn get_chain_hash(
        &self,
        request: Request<v1::GetChainHashRequest>,
    ) -> Result<Response<v1::GetChainHashResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(chain_hash(&read, request.revision).await?))
    }

    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateToken", request)?;
        Ok(Response::new(create_token(write, request).await?))
    }

    async fn list_tokens(
        &self,
        request: Request<v1::ListTokensRequest>,
    ) -> Result<Response<v1::ListTokensResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let v1::ListTokensRequest { page_size, page_token, read: options } = request;
        read.allow(ReadScope::Tokens)?;
        let asked = Asked { rpc: "ListTokens", filters: &[], page_size, page_token: &page_token, read: options };
        let page = Page::open(&read, asked).await?;
        let listed = page.list(ListRange::Tokens, |_, _| true).await?;
        let tokens = listed.show(|id| Key::Token(id.to_owned()), convert::token::to_proto);
        let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
        Ok(Response::new(v1::ListTokensResponse { header, tokens, next_page_token }))
    }

    async fn revoke_token(
        &self,
        request: Request<v1::RevokeTokenRequest>,
    ) -> Result<Response<v1::RevokeTokenResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "RevokeToken", request)?;
        let id = request.token_id;
        let done = write.single(Operation::RevokeToken { id }).await?;
        Ok(Response::new(v1::RevokeTokenResponse { header: done.header() }))
    }
}

/// What this node alone holds: that is what a comparison of nodes is about.
async fn chain_hash(read: &Read, revision: u64) -> Result<v1::GetChainHashResponse, Failure> {
    read.allow(ReadScope::Cluster)?;
    let view = read.services.reader.view(Consistency::Local).await?;
    let revision = if revision == 0 { view.revision() } else { revision };
    check_past(&view, revision)?;
    // The hash before the floor is kept, so that the chain can be verified from there.
    check_floor("revision", revision, view.event_floor()?.saturating_sub(1))?;
    let hash = view.chain_hash(revision)?.ok_or_else(|| {
        let message = format!("this node no longer holds the chain hash at revision {revision}");
        Rejection::new(Reason::NotFound, "revision", message)
    })?;
    let header = read.header(view.revision());
    Ok(v1::GetChainHashResponse { header, revision, chain_hash: hex(&hash) })
}

async fn create_token(write: Write, request: v1::CreateTokenRequest) -> Result<v1::CreateTokenResponse, Failure> {
    let made = token::generate(&*write.services.ids);
    let given = required("token", request.token)?;
    let token = convert::token::token(given, made.hash, write.services.clock.now_ms())?;
    let done = write.single(Operation::CreateToken { id: made.id.clone(), token }).await?;
    let id = created_id(&done).await?.unwrap_or_else(|| made.id.clone());
    let secret = if id == made.id { made.text.to_string() } else { String::new() };
    let key = Key::Token(id);
    let token = done.record(&key)?.and_then(|record| convert::token::to_proto(&key, &record));
    let header = Some(header(&done.services, done.revision));
    Ok(v1::CreateTokenResponse { header, token, secret })
}

/// The token that the change made: another than ours when this was a retry.
async fn created_id(done: &Done) -> Result<Option<String>, Failure> {
    let filter = EventFilter { kinds: vec!["token.created".to_owned()], ..EventFilter::of(EventScope::All) };
    let page = done.view().events(filter, done.revision, done.revision, 0, 1).await?;
    let event = page.entries.into_iter().next().and_then(|(entry, _)| entry.events.into_iter().next());
    Ok(event.and_then(|event| match (event.key, event.kind) {
        (Key::Token(id), EventKind::TokenCreated(_)) => Some(id),
        _ => None,
    }))
}
