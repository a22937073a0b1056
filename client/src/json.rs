//! Resources as JSON, in the shapes that `muster ... --output json` shows and reads: IoT Hub's identities and twins, Device
//! Registry's assets. Pure: no calls, no files.

use serde_json::Value;

use crate::proto;
use crate::shapes::asset::{definition_to_json, status_from_fields};
use crate::shapes::fields::{Fields, ShapeError};

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {rule}")]
pub struct JsonError {
    /// The path of the member at fault, such as `status.datasets[0].name`.
    pub path: String,
    /// The rule that it breaks.
    pub rule: String,
}

impl From<ShapeError> for JsonError {
    fn from(error: ShapeError) -> Self {
        Self { path: error.path, rule: error.rule }
    }
}

/// A resource of any kind; null when there is none.
#[must_use]
pub fn resource(resource: &proto::Resource) -> Value {
    crate::shapes::any(resource)
}

/// What an asset is, without what was reported of it: `version`, `enabled` and the members of its definition.
#[must_use]
pub fn asset_definition(asset: &proto::Asset) -> Value {
    let mut members = asset.definition.as_ref().map(definition_to_json).unwrap_or_default();
    members.insert("version".to_owned(), asset.version.into());
    members.insert("enabled".to_owned(), asset.enabled.unwrap_or(true).into());
    Value::Object(members)
}

/// Reads the status of an asset. A member that is not known is refused: it would have no effect.
///
/// # Errors
/// Names the member at fault and the rule.
pub fn asset_status(value: Value) -> Result<proto::AssetStatus, JsonError> {
    let mut unread = Vec::new();
    let mut fields = Fields::new("status", value)?;
    let status = status_from_fields(&mut fields, &mut unread)?;
    fields.ignore(&["updateTime"]);
    fields.finish(&mut unread);
    match unread.into_iter().next() {
        Some(path) => Err(JsonError { path, rule: "is not a member of a status".to_owned() }),
        None => Ok(status),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_names_what_is_wrong_with_it() {
        let status = asset_status(json!({"config": {"version": 3}, "datasets": [{"name": "a"}]})).expect("a status");
        assert_eq!((status.config_version, status.parts.len()), (3, 1));
        for (value, told) in [
            (json!([]), "status: must be an object, not a list"),
            (json!({"config": {"version": "x"}}), "status.config.version: must be a whole number from 0, not \"x\""),
            (json!({"odd": 1}), "status.odd: is not a member of a status"),
        ] {
            assert_eq!(asset_status(value).expect_err("refused").to_string(), told);
        }
    }

    #[test]
    fn a_definition_says_nothing_of_the_status() {
        let asset = proto::Asset {
            version: 4,
            etag: "9".to_owned(),
            definition: Some(proto::AssetDefinition { model: "M".to_owned(), ..Default::default() }),
            status: Some(proto::AssetStatus { config_version: 4, ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(asset_definition(&asset), json!({"version": 4, "enabled": true, "model": "M"}));
    }
}
