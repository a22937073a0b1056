//! What every reading RPC does between its message and its answer: caller, permission, and a view as fresh as asked.
//!
//! It knows no noun. An answer is read as of the view's revision, which is the one its header names.

use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::{Key, Record, Rejection};
use muster_proto::v1;

use super::fields;
use super::status::{Failure, unauthenticated};
use crate::authorize::{self, Caller};
use crate::node::Services;
use crate::read::View;

/// A read that is asked for.
pub(crate) struct Read {
    pub(crate) services: Arc<Services>,
    pub(crate) caller: Caller,
}

impl Read {
    /// Finds out who asks.
    pub(crate) fn begin<M>(services: &Arc<Services>, request: tonic::Request<M>) -> Result<(Self, M), tonic::Status> {
        let (_, mut extensions, message) = request.into_parts();
        let caller = extensions.remove::<Caller>().ok_or_else(|| unauthenticated("the caller is not known"))?;
        Ok((Self { services: Arc::clone(services), caller }, message))
    }

    /// Refuses what the caller may not see.
    pub(crate) fn allow(&self, scope: ReadScope<'_>) -> Result<(), Failure> {
        Ok(authorize::read(&self.caller, scope)?)
    }

    /// Refuses a resource that the caller may not see; for twins, keys and lists there are scopes of their own.
    pub(crate) fn allow_resource(&self, key: &Key) -> Result<(), Failure> {
        self.allow(match (key.namespace(), key.device()) {
            (Some(namespace), Some(device)) => ReadScope::Device { namespace, device },
            (Some(namespace), None) => ReadScope::Namespace(namespace),
            (None, _) => ReadScope::Cluster,
        })
    }

    /// A view as fresh as asked.
    pub(crate) async fn view(&self, options: Option<v1::ReadOptions>) -> Result<View, Failure> {
        let consistency = fields::consistency(options)?;
        Ok(self.services.reader.view(consistency).await?)
    }

    /// The header of an answer that is true at `revision`.
    pub(crate) fn header(&self, revision: u64) -> Option<v1::ResponseHeader> {
        Some(header(&self.services, revision))
    }
}

/// The record of `key` as of the view's revision.
pub(crate) fn existing(view: &View, key: &Key) -> Result<Arc<Record>, Failure> {
    Ok(view.get_at(key, view.revision())?.ok_or_else(|| Rejection::not_found(key))?)
}

/// The header of an answer that is true at `revision`.
pub(crate) fn header(services: &Services, revision: u64) -> v1::ResponseHeader {
    services.status.header(revision)
}
