//! What is not a device: the cluster's settings, tokens, cursors, saved queries, namespaces, assets, and what deleted resources leave behind.

use muster_domain::asset::{Asset, AssetDefinition, AssetStatus};
use muster_domain::cluster::Cluster;
use muster_domain::cursor::Cursor;
use muster_domain::namespace::{Namespace, NamespaceDefinition};
use muster_domain::policy::Role;
use muster_domain::saved_query::{SavedQuery, SavedQueryDefinition};
use muster_domain::token::Token;
use muster_domain::{Limits, Tombstone};
use muster_proto::stored::v1 as stored;
use muster_proto::v1;
use prost::bytes::Bytes;

use super::CodecError;
use super::enums::StoredEnum;
use super::error::{fixed, required};
use crate::convert::asset::{asset_definition_from_proto, asset_definition_to_proto};
use crate::convert::asset_status::{asset_status_from_proto, asset_status_to_proto};

pub(super) fn cluster_to_stored(cluster: &Cluster) -> stored::Cluster {
    let Limits { tags_bytes_max, desired_bytes_max, reported_bytes_max, value_bytes_max, key_bytes_max, depth_max } =
        cluster.limits;
    stored::Cluster {
        cluster_id: cluster.cluster_id.clone(),
        page_key: Bytes::copy_from_slice(&cluster.page_key),
        limits: Some(stored::Limits {
            tags_bytes_max,
            desired_bytes_max,
            reported_bytes_max,
            value_bytes_max,
            key_bytes_max,
            depth_max,
        }),
        feature_level: cluster.feature_level,
        last_node_id: cluster.last_node_id,
    }
}

pub(super) fn cluster_from_stored(cluster: stored::Cluster) -> Result<Cluster, CodecError> {
    let limits = required("the cluster's settings", "limits", cluster.limits)?;
    Ok(Cluster {
        cluster_id: cluster.cluster_id,
        page_key: fixed("the key of page tokens", &cluster.page_key)?,
        limits: Limits {
            tags_bytes_max: limits.tags_bytes_max,
            desired_bytes_max: limits.desired_bytes_max,
            reported_bytes_max: limits.reported_bytes_max,
            value_bytes_max: limits.value_bytes_max,
            key_bytes_max: limits.key_bytes_max,
            depth_max: limits.depth_max,
        },
        feature_level: cluster.feature_level,
        last_node_id: cluster.last_node_id,
    })
}

pub(super) fn token_to_stored(token: &Token) -> stored::Token {
    stored::Token {
        hash: Bytes::copy_from_slice(&token.hash),
        description: token.description.clone(),
        role: token.role.number(),
        namespace: token.namespace.clone(),
        device: token.device.clone(),
        expires_ms: token.expires_ms,
        edge: token.edge.clone(),
    }
}

pub(super) fn token_from_stored(token: stored::Token) -> Result<Token, CodecError> {
    Ok(Token {
        hash: fixed("the hash of a token", &token.hash)?,
        description: token.description,
        role: Role::from_number(token.role)?,
        namespace: token.namespace,
        device: token.device,
        edge: token.edge,
        expires_ms: token.expires_ms,
    })
}

pub(super) fn saved_query_definition_to_stored(definition: &SavedQueryDefinition) -> stored::SavedQueryDefinition {
    stored::SavedQueryDefinition { text: definition.text.clone(), description: definition.description.clone() }
}

pub(super) fn saved_query_definition_from_stored(definition: stored::SavedQueryDefinition) -> SavedQueryDefinition {
    SavedQueryDefinition { text: definition.text, description: definition.description }
}

pub(super) fn saved_query_to_stored(query: &SavedQuery) -> stored::SavedQuery {
    let definition = Some(saved_query_definition_to_stored(&query.definition));
    stored::SavedQuery { definition, version: query.version }
}

pub(super) fn saved_query_from_stored(query: stored::SavedQuery) -> Result<SavedQuery, CodecError> {
    let definition = required("a saved query", "definition", query.definition)?;
    Ok(SavedQuery { definition: saved_query_definition_from_stored(definition), version: query.version })
}

pub(super) fn cursor_to_stored(cursor: &Cursor) -> stored::Cursor {
    stored::Cursor { description: cursor.description.clone(), acknowledged: cursor.acknowledged }
}

pub(super) fn cursor_from_stored(cursor: stored::Cursor) -> Cursor {
    Cursor { description: cursor.description, acknowledged: cursor.acknowledged }
}

pub(super) fn namespace_definition_to_stored(definition: &NamespaceDefinition) -> stored::NamespaceDefinition {
    let NamespaceDefinition { display_name, description, labels } = definition.clone();
    stored::NamespaceDefinition { display_name, description, labels }
}

pub(super) fn namespace_definition_from_stored(definition: stored::NamespaceDefinition) -> NamespaceDefinition {
    let stored::NamespaceDefinition { display_name, description, labels } = definition;
    NamespaceDefinition { display_name, description, labels }
}

pub(super) fn namespace_to_stored(namespace: &Namespace) -> stored::Namespace {
    stored::Namespace {
        definition: Some(namespace_definition_to_stored(&namespace.definition)),
        deleting: namespace.deleting,
    }
}

pub(super) fn namespace_from_stored(namespace: stored::Namespace) -> Result<Namespace, CodecError> {
    let definition = required("a namespace", "definition", namespace.definition)?;
    Ok(Namespace { definition: namespace_definition_from_stored(definition), deleting: namespace.deleting })
}

pub(super) fn asset_definition_from_stored(
    what: &'static str,
    definition: Option<v1::AssetDefinition>,
) -> Result<AssetDefinition, CodecError> {
    let definition = required(what, "definition", definition)?;
    asset_definition_from_proto(definition).map_err(CodecError::invalid(what))
}

pub(super) fn asset_status_from_stored(what: &'static str, status: v1::AssetStatus) -> Result<AssetStatus, CodecError> {
    asset_status_from_proto(status).map_err(CodecError::invalid(what))
}

pub(super) fn asset_to_stored(asset: &Asset) -> stored::Asset {
    stored::Asset {
        definition: Some(asset_definition_to_proto(&asset.definition)),
        enabled: asset.enabled,
        uuid: asset.uuid.clone(),
        version: asset.version,
        last_transition_ms: asset.last_transition_ms,
        status: (asset.status != AssetStatus::default()).then(|| asset_status_to_proto(&asset.status)),
        status_updated_ms: asset.status_updated_ms,
    }
}

pub(super) fn asset_from_stored(asset: stored::Asset) -> Result<Asset, CodecError> {
    Ok(Asset {
        definition: asset_definition_from_stored("an asset", asset.definition)?,
        enabled: asset.enabled,
        uuid: asset.uuid,
        version: asset.version,
        last_transition_ms: asset.last_transition_ms,
        status: asset_status_from_stored("an asset", asset.status.unwrap_or_default())?,
        status_updated_ms: asset.status_updated_ms,
    })
}

pub(super) fn tombstone_to_stored(tombstone: Tombstone) -> stored::Tombstone {
    let Tombstone { version, tags_version, desired_version, reported_version } = tombstone;
    stored::Tombstone { version, tags_version, desired_version, reported_version }
}

pub(super) fn tombstone_from_stored(tombstone: &stored::Tombstone) -> Tombstone {
    let stored::Tombstone { version, tags_version, desired_version, reported_version } = *tombstone;
    Tombstone { version, tags_version, desired_version, reported_version }
}
