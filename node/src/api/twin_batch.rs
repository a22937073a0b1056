//! Batches of twin patches: decoding of their elements. How a batch is carried out is [`super::batch`]'s business.

use muster_proto::v1;

use super::batch::{self, Element};
use super::status::Failure;
use super::write::Write;
use super::{fields, twin};

const LIST: &str = "requests";

/// Patches twins, each with its own etag.
pub(crate) async fn patch(
    write: Write,
    request: v1::BatchPatchTwinsRequest,
) -> Result<v1::BatchPatchTwinsResponse, Failure> {
    batch::check_len(LIST, request.requests.len(), write.services.settings.batch_items_max)?;
    let namespace = fields::namespace("parent", &request.parent)?;
    let elements = request.requests.into_iter().map(|request| {
        let named = request.name.clone();
        let decoded = twin::patch(request).and_then(|decoded| batch::check_inside("name", &namespace, decoded));
        Element::new(&named, decoded)
    });
    let (header, results) = batch::run(&write, LIST, elements.collect(), request.atomic).await?;
    Ok(v1::BatchPatchTwinsResponse { header, results })
}
