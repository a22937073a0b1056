//! Endpoints of devices. It knows no secrets, only their names.

use std::collections::BTreeMap;

use muster_domain::Rejection;
use muster_domain::device::{EndpointAuthentication, Endpoints, InboundEndpoint, OutboundEndpoint};
use muster_proto::v1;
use muster_proto::v1::endpoint_authentication::Method;

use super::{invalid, unknown};

/// As a message.
#[must_use]
pub fn endpoints_to_proto(endpoints: &Endpoints) -> v1::Endpoints {
    let outbound = |endpoints: &BTreeMap<String, OutboundEndpoint>| {
        let message = |endpoint: &OutboundEndpoint| v1::OutboundEndpoint {
            address: endpoint.address.clone(),
            endpoint_type: endpoint.endpoint_type.clone(),
        };
        endpoints.iter().map(|(name, endpoint)| (name.clone(), message(endpoint))).collect()
    };
    let inbound = endpoints.inbound.iter();
    v1::Endpoints {
        inbound: inbound.map(|(name, endpoint)| (name.clone(), inbound_to_proto(endpoint))).collect(),
        outbound_assigned: outbound(&endpoints.outbound_assigned),
        outbound_unassigned: outbound(&endpoints.outbound_unassigned),
    }
}

/// From a message; an absent authentication is an anonymous one.
///
/// # Errors
/// Names the field by its path in a request, such as `device.endpoints.inbound["opc"].authentication.method`.
pub fn endpoints_from_proto(message: v1::Endpoints) -> Result<Endpoints, Rejection> {
    let outbound = |endpoints: BTreeMap<String, v1::OutboundEndpoint>| {
        let convert = |endpoint: v1::OutboundEndpoint| OutboundEndpoint {
            address: endpoint.address,
            endpoint_type: endpoint.endpoint_type,
        };
        endpoints.into_iter().map(|(name, endpoint)| (name, convert(endpoint))).collect()
    };
    let mut inbound = BTreeMap::new();
    for (name, endpoint) in message.inbound {
        let endpoint = inbound_from_proto(endpoint)
            .map_err(|refusal| refusal.within(&format!("device.endpoints.inbound[{name:?}]")))?;
        inbound.insert(name, endpoint);
    }
    Ok(Endpoints {
        inbound,
        outbound_assigned: outbound(message.outbound_assigned),
        outbound_unassigned: outbound(message.outbound_unassigned),
    })
}

fn inbound_to_proto(endpoint: &InboundEndpoint) -> v1::InboundEndpoint {
    v1::InboundEndpoint {
        address: endpoint.address.clone(),
        endpoint_type: endpoint.endpoint_type.clone(),
        version: endpoint.version.clone(),
        additional_configuration: endpoint.additional_configuration.clone(),
        authentication: Some(authentication_to_proto(&endpoint.authentication)),
        trust_list: endpoint.trust_list.clone(),
    }
}

fn inbound_from_proto(message: v1::InboundEndpoint) -> Result<InboundEndpoint, Rejection> {
    let authentication = message.authentication.unwrap_or_default();
    Ok(InboundEndpoint {
        address: message.address,
        endpoint_type: message.endpoint_type,
        version: message.version,
        additional_configuration: message.additional_configuration,
        authentication: authentication_from_proto(authentication)
            .map_err(|refusal| refusal.within("authentication"))?,
        trust_list: message.trust_list,
    })
}

fn authentication_to_proto(authentication: &EndpointAuthentication) -> v1::EndpointAuthentication {
    let mut message = v1::EndpointAuthentication::default();
    match authentication {
        EndpointAuthentication::Anonymous => message.set_method(Method::Anonymous),
        EndpointAuthentication::Certificate { certificate_secret, key_secret, intermediates_secret } => {
            message.set_method(Method::Certificate);
            message.certificate_secret_name.clone_from(certificate_secret);
            message.key_secret_name.clone_from(key_secret);
            message.intermediate_certificates_secret_name.clone_from(intermediates_secret);
        }
        EndpointAuthentication::UsernamePassword { username_secret, password_secret } => {
            message.set_method(Method::UsernamePassword);
            message.username_secret_name.clone_from(username_secret);
            message.password_secret_name.clone_from(password_secret);
        }
    }
    message
}

fn authentication_from_proto(message: v1::EndpointAuthentication) -> Result<EndpointAuthentication, Rejection> {
    let method = Method::try_from(message.method).map_err(|_| unknown("method", message.method))?;
    // The name of a secret that another method would use is a mistake that must not be dropped in silence.
    let certificate_fields = [
        ("certificate_secret_name", &message.certificate_secret_name),
        ("key_secret_name", &message.key_secret_name),
        ("intermediate_certificates_secret_name", &message.intermediate_certificates_secret_name),
    ];
    let password_fields = [
        ("username_secret_name", &message.username_secret_name),
        ("password_secret_name", &message.password_secret_name),
    ];
    if method != Method::Certificate {
        refuse_given(&certificate_fields, "CERTIFICATE")?;
    }
    if method != Method::UsernamePassword {
        refuse_given(&password_fields, "USERNAME_PASSWORD")?;
    }
    Ok(match method {
        Method::Unspecified | Method::Anonymous => EndpointAuthentication::Anonymous,
        Method::Certificate => EndpointAuthentication::Certificate {
            certificate_secret: message.certificate_secret_name,
            key_secret: message.key_secret_name,
            intermediates_secret: message.intermediate_certificates_secret_name,
        },
        Method::UsernamePassword => EndpointAuthentication::UsernamePassword {
            username_secret: message.username_secret_name,
            password_secret: message.password_secret_name,
        },
    })
}

fn refuse_given(fields: &[(&str, &String)], method: &str) -> Result<(), Rejection> {
    match fields.iter().find(|(_, value)| !value.is_empty()) {
        None => Ok(()),
        Some((field, _)) => Err(invalid(field, format!("{field} is for the method {method} only"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_path() {
        let authentication =
            |method: i32| v1::EndpointAuthentication { method, key_secret_name: "k".into(), ..Default::default() };
        for (method, field) in [(9, "method"), (0, "key_secret_name"), (3, "key_secret_name")] {
            let endpoint = v1::InboundEndpoint { authentication: Some(authentication(method)), ..Default::default() };
            let message = v1::Endpoints { inbound: [("opc".to_owned(), endpoint)].into(), ..Default::default() };
            let refusal = endpoints_from_proto(message).expect_err(field);
            assert_eq!(refusal.field, format!("device.endpoints.inbound[\"opc\"].authentication.{field}"));
        }
    }
}
