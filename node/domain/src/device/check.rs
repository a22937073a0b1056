//! The rules a device's definition must keep. Fields are named as in the API, below `device`.

use super::{DeviceDefinition, EndpointAuthentication, Endpoints, InboundEndpoint, OutboundEndpoint};
use crate::limits::{ADDRESS_CHARS_MAX, CONFIGURATION_BYTES_MAX, ENDPOINTS_MAX, REASON_CHARS_MAX, TEXT_CHARS_MAX};
use crate::text::{check_bytes, check_chars, check_count, check_name, check_present};
use crate::{Rejection, attributes};

impl DeviceDefinition {
    /// Checks everything but scopes, and brings attributes into their one form.
    pub(super) fn check(&mut self) -> Result<(), Rejection> {
        check_chars("status_reason", &self.status_reason, REASON_CHARS_MAX)?;
        self.authentication.check()?;
        for (field, text) in [
            ("external_device_id", &self.external_device_id),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("operating_system", &self.operating_system),
            ("operating_system_version", &self.operating_system_version),
            ("discovered_device_ref", &self.discovered_device_ref),
            ("uuid", &self.uuid),
        ] {
            check_chars(field, text, TEXT_CHARS_MAX)?;
        }
        self.attributes = attributes::normalized_for_device("attributes_json", &self.attributes)?;
        self.endpoints.check().map_err(|refusal| refusal.within("endpoints"))
    }
}

impl Endpoints {
    fn check(&self) -> Result<(), Rejection> {
        check_count("inbound", self.inbound.len(), ENDPOINTS_MAX)?;
        for (name, endpoint) in &self.inbound {
            check_name("inbound", name, TEXT_CHARS_MAX)?;
            endpoint.check().map_err(|refusal| refusal.within(name).within("inbound"))?;
        }
        for (list, endpoints) in
            [("outbound_assigned", &self.outbound_assigned), ("outbound_unassigned", &self.outbound_unassigned)]
        {
            check_count(list, endpoints.len(), ENDPOINTS_MAX)?;
            for (name, endpoint) in endpoints {
                check_name(list, name, TEXT_CHARS_MAX)?;
                endpoint.check().map_err(|refusal| refusal.within(name).within(list))?;
            }
        }
        Ok(())
    }
}

impl InboundEndpoint {
    fn check(&self) -> Result<(), Rejection> {
        check_present("address", &self.address)?;
        check_chars("address", &self.address, ADDRESS_CHARS_MAX)?;
        check_present("endpoint_type", &self.endpoint_type)?;
        check_chars("endpoint_type", &self.endpoint_type, REASON_CHARS_MAX)?;
        check_chars("version", &self.version, REASON_CHARS_MAX)?;
        check_bytes("additional_configuration", &self.additional_configuration, CONFIGURATION_BYTES_MAX)?;
        check_chars("trust_list", &self.trust_list, TEXT_CHARS_MAX)?;
        self.authentication.check().map_err(|refusal| refusal.within("authentication"))
    }
}

impl EndpointAuthentication {
    fn check(&self) -> Result<(), Rejection> {
        let required = |field, name: &str| {
            check_present(field, name)?;
            check_chars(field, name, TEXT_CHARS_MAX)
        };
        match self {
            Self::Anonymous => Ok(()),
            Self::Certificate { certificate_secret, key_secret, intermediates_secret } => {
                required("certificate_secret_name", certificate_secret)?;
                check_chars("key_secret_name", key_secret, TEXT_CHARS_MAX)?;
                check_chars("intermediate_certificates_secret_name", intermediates_secret, TEXT_CHARS_MAX)
            }
            Self::UsernamePassword { username_secret, password_secret } => {
                required("username_secret_name", username_secret)?;
                required("password_secret_name", password_secret)
            }
        }
    }
}

impl OutboundEndpoint {
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        check_present("address", &self.address)?;
        check_chars("address", &self.address, ADDRESS_CHARS_MAX)?;
        check_chars("endpoint_type", &self.endpoint_type, REASON_CHARS_MAX)
    }
}
