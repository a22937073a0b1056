//! Device Registry's `endpoints` of a device, both ways. Secrets are names.

use muster_client::proto::endpoint_authentication::Method;
use muster_client::proto::{EndpointAuthentication, Endpoints, InboundEndpoint, OutboundEndpoint};
use serde_json::{Map, Value, json};

use super::fields::{Fields, ShapeError};
use super::put;

/// Writes them; an empty object when there are none.
pub(crate) fn to_json(endpoints: Option<&Endpoints>) -> Value {
    let mut object = Map::new();
    if let Some(endpoints) = endpoints {
        let inbound: Map<String, Value> =
            endpoints.inbound.iter().map(|(name, endpoint)| (name.clone(), inbound_to_json(endpoint))).collect();
        put(&mut object, "inbound", inbound);
        let outbound = |endpoints: &std::collections::BTreeMap<String, OutboundEndpoint>| -> Map<String, Value> {
            endpoints.iter().map(|(name, endpoint)| (name.clone(), outbound_to_json(endpoint))).collect()
        };
        let mut both = Map::new();
        put(&mut both, "assigned", outbound(&endpoints.outbound_assigned));
        put(&mut both, "unassigned", outbound(&endpoints.outbound_unassigned));
        put(&mut object, "outbound", both);
    }
    Value::Object(object)
}

fn inbound_to_json(endpoint: &InboundEndpoint) -> Value {
    let mut object = Map::new();
    put(&mut object, "address", endpoint.address.as_str());
    put(&mut object, "endpointType", endpoint.endpoint_type.as_str());
    put(&mut object, "version", endpoint.version.as_str());
    put(&mut object, "additionalConfiguration", endpoint.additional_configuration.as_str());
    put(&mut object, "authentication", authentication_to_json(endpoint.authentication.as_ref()));
    if !endpoint.trust_list.is_empty() {
        object.insert("trustSettings".to_owned(), json!({"trustList": endpoint.trust_list}));
    }
    Value::Object(object)
}

fn authentication_to_json(authentication: Option<&EndpointAuthentication>) -> Value {
    let Some(authentication) = authentication else { return json!({"method": "Anonymous"}) };
    let mut credentials = Map::new();
    match authentication.method() {
        Method::Unspecified | Method::Anonymous => json!({"method": "Anonymous"}),
        Method::Certificate => {
            put(&mut credentials, "certificateSecretName", authentication.certificate_secret_name.as_str());
            put(&mut credentials, "keySecretName", authentication.key_secret_name.as_str());
            let intermediates = authentication.intermediate_certificates_secret_name.as_str();
            put(&mut credentials, "intermediateCertificatesSecretName", intermediates);
            json!({"method": "Certificate", "x509Credentials": credentials})
        }
        Method::UsernamePassword => {
            put(&mut credentials, "usernameSecretName", authentication.username_secret_name.as_str());
            put(&mut credentials, "passwordSecretName", authentication.password_secret_name.as_str());
            json!({"method": "UsernamePassword", "usernamePasswordCredentials": credentials})
        }
    }
}

fn outbound_to_json(endpoint: &OutboundEndpoint) -> Value {
    let mut object = Map::new();
    put(&mut object, "address", endpoint.address.as_str());
    put(&mut object, "endpointType", endpoint.endpoint_type.as_str());
    Value::Object(object)
}

/// Reads them.
pub(crate) fn from_fields(mut fields: Fields, unread: &mut Vec<String>) -> Result<Endpoints, ShapeError> {
    let mut endpoints = Endpoints::default();
    for (name, mut endpoint) in fields.named("inbound")? {
        let authentication = authentication_from_fields(endpoint.object("authentication")?, unread)?;
        let mut trust = endpoint.object("trustSettings")?;
        let inbound = InboundEndpoint {
            address: endpoint.required("address")?,
            endpoint_type: endpoint.required("endpointType")?,
            version: endpoint.text("version")?,
            additional_configuration: endpoint.text("additionalConfiguration")?,
            authentication: Some(authentication),
            trust_list: trust.text("trustList")?,
        };
        trust.finish(unread);
        endpoint.finish(unread);
        endpoints.inbound.insert(name, inbound);
    }
    let mut outbound = fields.object("outbound")?;
    for (list, into) in
        [("assigned", &mut endpoints.outbound_assigned), ("unassigned", &mut endpoints.outbound_unassigned)]
    {
        for (name, mut endpoint) in outbound.named(list)? {
            let address = endpoint.required("address")?;
            into.insert(name, OutboundEndpoint { address, endpoint_type: endpoint.text("endpointType")? });
            endpoint.finish(unread);
        }
    }
    outbound.finish(unread);
    fields.finish(unread);
    Ok(endpoints)
}

/// Reads how a connector authenticates; absent means anonymously.
pub(crate) fn authentication_from_fields(
    mut fields: Fields,
    unread: &mut Vec<String>,
) -> Result<EndpointAuthentication, ShapeError> {
    let name = fields.text("method")?;
    let method = match name.as_str() {
        "" | "Anonymous" => Method::Anonymous,
        "Certificate" => Method::Certificate,
        "UsernamePassword" => Method::UsernamePassword,
        _ => {
            let rule = format!("`{name}` is not one of Anonymous, Certificate, UsernamePassword");
            return Err(ShapeError::new(fields.at("method"), rule));
        }
    };
    let mut authentication = EndpointAuthentication { method: method.into(), ..Default::default() };
    let mut password = fields.object("usernamePasswordCredentials")?;
    let mut x509 = fields.object("x509Credentials")?;
    match method {
        Method::UsernamePassword => {
            authentication.username_secret_name = password.required("usernameSecretName")?;
            authentication.password_secret_name = password.required("passwordSecretName")?;
        }
        Method::Certificate => {
            authentication.certificate_secret_name = x509.required("certificateSecretName")?;
            authentication.key_secret_name = x509.text("keySecretName")?;
            authentication.intermediate_certificates_secret_name = x509.text("intermediateCertificatesSecretName")?;
        }
        Method::Unspecified | Method::Anonymous => {}
    }
    password.finish(unread);
    x509.finish(unread);
    fields.finish(unread);
    Ok(authentication)
}
