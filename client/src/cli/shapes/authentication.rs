//! IoT Hub's `authentication` member, both ways.

use muster_client::proto::{Authentication, AuthenticationType, SymmetricKey, X509Thumbprint};
use serde_json::{Value, json};

use super::fields::{Fields, ShapeError};

/// IoT Hub's name of a type.
pub(crate) fn type_name(kind: AuthenticationType) -> &'static str {
    match kind {
        AuthenticationType::Unspecified | AuthenticationType::Sas => "sas",
        AuthenticationType::SelfSigned => "selfSigned",
        AuthenticationType::CertificateAuthority => "certificateAuthority",
        AuthenticationType::None => "none",
    }
}

/// The type of IoT Hub's name.
pub(crate) fn type_of(name: &str) -> Option<AuthenticationType> {
    match name {
        "" | "sas" => Some(AuthenticationType::Sas),
        "selfSigned" => Some(AuthenticationType::SelfSigned),
        "certificateAuthority" => Some(AuthenticationType::CertificateAuthority),
        "none" => Some(AuthenticationType::None),
        _ => None,
    }
}

/// Writes it. Keys that are absent are null, as in an export without keys.
pub(crate) fn to_json(authentication: Option<&Authentication>) -> Value {
    let default = Authentication::default();
    let authentication = authentication.unwrap_or(&default);
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    let key = authentication.symmetric_key.clone().unwrap_or_default();
    let thumbprint = authentication.x509_thumbprint.clone().unwrap_or_default();
    json!({
        "type": type_name(authentication.r#type()),
        "symmetricKey": {"primaryKey": text(&key.primary_key), "secondaryKey": text(&key.secondary_key)},
        "x509Thumbprint": {
            "primaryThumbprint": text(&thumbprint.primary_thumbprint),
            "secondaryThumbprint": text(&thumbprint.secondary_thumbprint),
        },
    })
}

/// Reads it; null keys and thumbprints are absent.
pub(crate) fn from_fields(mut fields: Fields, unread: &mut Vec<String>) -> Result<Authentication, ShapeError> {
    let name = fields.text("type")?;
    let kind = type_of(&name).ok_or_else(|| {
        ShapeError::new(
            fields.at("type"),
            format!("`{name}` is not one of sas, selfSigned, certificateAuthority, none"),
        )
    })?;
    let mut keys = fields.object("symmetricKey")?;
    let key = SymmetricKey { primary_key: keys.text("primaryKey")?, secondary_key: keys.text("secondaryKey")? };
    let mut thumbprints = fields.object("x509Thumbprint")?;
    let thumbprint = X509Thumbprint {
        primary_thumbprint: thumbprints.text("primaryThumbprint")?,
        secondary_thumbprint: thumbprints.text("secondaryThumbprint")?,
    };
    keys.finish(unread);
    thumbprints.finish(unread);
    fields.finish(unread);
    Ok(Authentication {
        r#type: kind.into(),
        symmetric_key: (key != SymmetricKey::default()).then_some(key),
        x509_thumbprint: (thumbprint != X509Thumbprint::default()).then_some(thumbprint),
    })
}
