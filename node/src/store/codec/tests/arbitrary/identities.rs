//! Devices and modules.

use muster_domain::device::{
    Authentication, DeviceDefinition, EndpointAuthentication, Endpoints, InboundEndpoint, OutboundEndpoint,
};
use muster_domain::module::ModuleDefinition;
use proptest::array::{uniform2, uniform3, uniform4, uniform16};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{sealed, text, variant};

fn authentication() -> BoxedStrategy<Authentication> {
    prop_oneof![
        (sealed(), sealed()).prop_map(|(primary, secondary)| Authentication::Sas { primary, secondary }),
        (text(), text()).prop_map(|(primary_thumbprint, secondary_thumbprint)| Authentication::SelfSigned {
            primary_thumbprint,
            secondary_thumbprint
        }),
        Just(Authentication::CertificateAuthority),
        Just(Authentication::None),
    ]
    .boxed()
}

fn endpoint_authentication() -> BoxedStrategy<EndpointAuthentication> {
    prop_oneof![
        Just(EndpointAuthentication::Anonymous),
        uniform3(text()).prop_map(|[certificate_secret, key_secret, intermediates_secret]| {
            EndpointAuthentication::Certificate { certificate_secret, key_secret, intermediates_secret }
        }),
        uniform2(text()).prop_map(|[username_secret, password_secret]| {
            EndpointAuthentication::UsernamePassword { username_secret, password_secret }
        }),
    ]
    .boxed()
}

fn endpoints() -> BoxedStrategy<Endpoints> {
    let inbound = (uniform4(text()), endpoint_authentication(), text()).prop_map(
        |([address, endpoint_type, version, additional_configuration], authentication, trust_list)| InboundEndpoint {
            address,
            endpoint_type,
            version,
            additional_configuration,
            authentication,
            trust_list,
        },
    );
    let outbound = || {
        let endpoint =
            uniform2(text()).prop_map(|[address, endpoint_type]| OutboundEndpoint { address, endpoint_type });
        btree_map(text(), endpoint, 0..3)
    };
    (btree_map(text(), inbound, 0..3), outbound(), outbound())
        .prop_map(|(inbound, outbound_assigned, outbound_unassigned)| Endpoints {
            inbound,
            outbound_assigned,
            outbound_unassigned,
        })
        .boxed()
}

pub(super) fn device_definition() -> BoxedStrategy<DeviceDefinition> {
    let texts = uniform16(text());
    (variant(), authentication(), any::<bool>(), vec(text(), 0..3), texts, endpoints())
        .prop_map(|(status, authentication, iot_edge, parent_scopes, texts, endpoints)| {
            let [
                status_reason,
                device_scope,
                external_device_id,
                manufacturer,
                model,
                operating_system,
                operating_system_version,
                attributes,
                discovered_device_ref,
                uuid,
                edge,
                site,
                ..,
            ] = texts;
            DeviceDefinition {
                status,
                status_reason,
                authentication,
                iot_edge,
                device_scope,
                parent_scopes,
                external_device_id,
                manufacturer,
                model,
                operating_system,
                operating_system_version,
                attributes,
                endpoints,
                discovered_device_ref,
                uuid,
                edge,
                site,
            }
        })
        .boxed()
}

pub(super) fn module_definition() -> BoxedStrategy<ModuleDefinition> {
    (text(), authentication())
        .prop_map(|(managed_by, authentication)| ModuleDefinition { managed_by, authentication })
        .boxed()
}
