//! The tower layer in front of every service: finds the RPC's row, then the caller, then compares the two.
//!
//! A caller is known by a bearer token, or else by the client certificate of its connection. A token that is given but
//! not valid is refused, even when there is a certificate beside it. It does not know what a request asks for.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Request, Response, header::AUTHORIZATION};
use muster_domain::policy::{Principal, Role};
use muster_domain::{Body, Key};
use tonic::{Code, Status, body::Body as GrpcBody};
use tonic_types::{ErrorDetails, StatusExt};
use tower::{Layer, Service};

use super::Caller;
use super::table::{self, Access};
use crate::clock::Clock;
use crate::identity::{self, CertIdentity};
use crate::read::Reader;
use crate::tls::ConnectionInfo;
use crate::token;

/// What it takes to know a caller.
pub struct Authentication {
    /// Where tokens are looked up.
    pub reader: Arc<Reader>,
    /// Tokens expire by it.
    pub clock: Arc<dyn Clock>,
    /// Whether a caller without credentials is an admin; only with `--insecure-dev`, on loopback.
    pub insecure_dev: bool,
}

impl Authentication {
    fn caller<B>(&self, request: &Request<B>) -> Result<Caller, Status> {
        let connection = request.extensions().get::<ConnectionInfo>();
        let origin = connection.map(|connection| connection.remote_addr.to_string()).unwrap_or_default();
        let principal = match request.headers().get(AUTHORIZATION) {
            Some(value) => self.by_token(value.to_str().unwrap_or_default())?,
            None => match connection.and_then(|connection| connection.identity.as_ref()) {
                Some(identity) => by_certificate(identity)?,
                None if self.insecure_dev => user("insecure-dev", Role::Admin, None, None),
                None => {
                    return Err(unauthenticated("give a client certificate, or `authorization: Bearer mst_…`"));
                }
            },
        };
        Ok(Caller { principal, origin })
    }

    fn by_token(&self, header: &str) -> Result<Principal, Status> {
        // One message for all failures: it must not tell which token ids exist.
        let invalid = || unauthenticated("the bearer token is not valid, was revoked or has expired");
        let text = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("bearer ")).ok_or_else(invalid)?;
        let parsed = token::parse(text.trim()).ok_or_else(invalid)?;
        let record = self.reader.local().get(&Key::Token(parsed.id.clone())).map_err(|error| {
            tracing::error!(%error, "a token could not be read");
            Status::unavailable("tokens cannot be read now")
        })?;
        let Some(Body::Token(token)) = record.as_deref().map(|record| &record.body) else { return Err(invalid()) };
        let expired = token.expires_ms.is_some_and(|expires_ms| expires_ms <= self.clock.now_ms());
        if expired || !token::same_hash(&parsed.hash, &token.hash) {
            return Err(invalid());
        }
        match (token.role, &token.namespace, &token.device) {
            (Role::Device, Some(namespace), Some(device)) => {
                Ok(Principal::Device { namespace: namespace.clone(), device: device.clone(), token: Some(parsed.id) })
            }
            (Role::Edge, Some(namespace), _) => match &token.edge {
                Some(edge) => {
                    Ok(Principal::Edge { namespace: namespace.clone(), edge: edge.clone(), token: Some(parsed.id) })
                }
                None => Err(invalid()),
            },
            (Role::Device | Role::Edge, _, _) => Err(invalid()),
            (role, namespace, _) => Ok(user(&parsed.id, role, namespace.clone(), Some(parsed.id.clone()))),
        }
    }
}

fn user(name: &str, role: Role, namespace: Option<String>, token: Option<String>) -> Principal {
    Principal::User { name: name.to_owned(), role, namespace, token }
}

fn by_certificate(identity: &CertIdentity) -> Result<Principal, Status> {
    match identity {
        CertIdentity::Role { role, name } => Ok(user(name, domain_role(*role), None, None)),
        CertIdentity::Device { namespace, device } => {
            Ok(Principal::Device { namespace: namespace.clone(), device: device.clone(), token: None })
        }
        CertIdentity::Peer { .. } => Err(unauthenticated("a peer certificate does not serve for the API")),
    }
}

fn domain_role(role: identity::Role) -> Role {
    match role {
        identity::Role::Viewer => Role::Viewer,
        identity::Role::Operator => Role::Operator,
        identity::Role::Admin => Role::Admin,
    }
}

fn unauthenticated(message: &str) -> Status {
    let details = ErrorDetails::with_error_info("UNAUTHENTICATED", "muster", HashMap::<String, String>::new());
    Status::with_error_details(Code::Unauthenticated, message, details)
}

fn denied(message: String) -> Status {
    metrics::counter!("muster_authorize_denied_total", "stage" => "method").increment(1);
    let details = ErrorDetails::with_error_info("PERMISSION_DENIED", "muster", HashMap::<String, String>::new());
    Status::with_error_details(Code::PermissionDenied, message, details)
}

/// Puts [`Authentication`] in front of services.
#[derive(Clone)]
pub struct AuthorizeLayer {
    authentication: Arc<Authentication>,
}

impl AuthorizeLayer {
    /// A layer that asks `authentication`.
    #[must_use]
    pub fn new(authentication: Arc<Authentication>) -> Self {
        Self { authentication }
    }

    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Status> {
        let path = request.uri().path();
        let Some(access) = table::access(path) else {
            return Err(denied(format!("{path} is not a method of this server")));
        };
        if access == Access::Public {
            return Ok(());
        }
        let caller = self.authentication.caller(request)?;
        if !access.admits(&caller.principal) {
            let actor = caller.principal.actor();
            tracing::info!(actor, origin = caller.origin, path, "denied");
            return Err(denied(format!("{actor} may not call {path}; it needs at least the role {access:?}")));
        }
        request.extensions_mut().insert(caller);
        Ok(())
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = AuthorizeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthorizeService { layer: self.clone(), inner }
    }
}

/// A service behind the door.
#[derive(Clone)]
pub struct AuthorizeService<S> {
    layer: AuthorizeLayer,
    inner: S,
}

impl<S, B> Service<Request<B>> for AuthorizeService<S>
where
    S: Service<Request<B>, Response = Response<GrpcBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.layer.admit(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}
