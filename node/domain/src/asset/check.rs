//! The rules an asset's definition must keep. Fields are named as in the API, below `asset.definition`.
//!
//! - Names are unique within their list: they tie a status to its definition.
//! - Every text passes through one [`Texts`], so the definition is bounded as a whole too.

use std::collections::BTreeSet;

use super::{
    AssetDefinition, AssetEvent, AssetStream, DataPoint, Dataset, Destination, EventGroup, ManagementAction,
    ManagementGroup, Target,
};
use crate::limits::{
    ADDRESS_CHARS_MAX, ASSET_BYTES_MAX, ASSET_PART_ITEMS_MAX, ASSET_PARTS_MAX, CONFIGURATION_BYTES_MAX,
    DESCRIPTION_CHARS_MAX, TEXT_CHARS_MAX,
};
use crate::text::{Texts, check_count, check_name};
use crate::{Reason, Rejection, attributes};

impl AssetDefinition {
    /// Checks everything but the existence of the device, and brings attributes into their one form.
    pub(crate) fn check(&mut self) -> Result<(), Rejection> {
        let mut texts = Texts::default();
        self.check_texts(&mut texts)?;
        self.check_defaults(&mut texts)?;
        check_named(&self.datasets, "datasets", ASSET_PARTS_MAX, &mut texts)?;
        check_named(&self.event_groups, "event_groups", ASSET_PARTS_MAX, &mut texts)?;
        check_named(&self.streams, "streams", ASSET_PARTS_MAX, &mut texts)?;
        check_named(&self.management_groups, "management_groups", ASSET_PARTS_MAX, &mut texts)?;
        self.attributes = attributes::normalized("attributes_json", &self.attributes)?;
        let bytes = texts.bytes.saturating_add(self.attributes.len());
        if bytes > ASSET_BYTES_MAX {
            let message = format!("the texts of an asset must have at most {ASSET_BYTES_MAX} bytes, have {bytes}");
            return Err(Rejection::new(Reason::TooLarge, "", message));
        }
        Ok(())
    }

    fn check_texts(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts
            .required("device_name", &self.device_ref.device, TEXT_CHARS_MAX)
            .and_then(|()| texts.required("endpoint_name", &self.device_ref.endpoint, TEXT_CHARS_MAX))
            .map_err(|refusal| refusal.within("device_ref"))?;
        for (field, text, chars_max) in [
            ("external_asset_id", &self.external_asset_id, TEXT_CHARS_MAX),
            ("display_name", &self.display_name, TEXT_CHARS_MAX),
            ("description", &self.description, DESCRIPTION_CHARS_MAX),
            ("manufacturer", &self.manufacturer, TEXT_CHARS_MAX),
            ("manufacturer_uri", &self.manufacturer_uri, ADDRESS_CHARS_MAX),
            ("model", &self.model, TEXT_CHARS_MAX),
            ("product_code", &self.product_code, TEXT_CHARS_MAX),
            ("serial_number", &self.serial_number, TEXT_CHARS_MAX),
            ("hardware_revision", &self.hardware_revision, TEXT_CHARS_MAX),
            ("software_revision", &self.software_revision, TEXT_CHARS_MAX),
            ("documentation_uri", &self.documentation_uri, ADDRESS_CHARS_MAX),
        ] {
            texts.optional(field, text, chars_max)?;
        }
        for (list, items) in
            [("asset_type_refs", &self.asset_type_refs), ("discovered_asset_refs", &self.discovered_asset_refs)]
        {
            check_count(list, items.len(), ASSET_PARTS_MAX)?;
            for (index, item) in items.iter().enumerate() {
                texts.required(&format!("{list}[{index}]"), item, ADDRESS_CHARS_MAX)?;
            }
        }
        Ok(())
    }

    fn check_defaults(&self, texts: &mut Texts) -> Result<(), Rejection> {
        for (field, text) in [
            ("default_datasets_configuration", &self.default_datasets_configuration),
            ("default_events_configuration", &self.default_events_configuration),
            ("default_streams_configuration", &self.default_streams_configuration),
            ("default_management_groups_configuration", &self.default_management_groups_configuration),
        ] {
            texts.free_form(field, text, CONFIGURATION_BYTES_MAX)?;
        }
        let datasets = &self.default_datasets_destinations;
        check_destinations("default_datasets_destinations", datasets, Targets::All, texts)?;
        let events = &self.default_events_destinations;
        check_destinations("default_events_destinations", events, Targets::WithoutStateStore, texts)?;
        let streams = &self.default_streams_destinations;
        check_destinations("default_streams_destinations", streams, Targets::WithoutStateStore, texts)
    }
}

/// An element of a list whose names are unique.
trait Named {
    fn name(&self) -> &str;

    /// Checks all but the name.
    fn check(&self, texts: &mut Texts) -> Result<(), Rejection>;
}

fn check_named<T: Named>(items: &[T], list: &str, count_max: usize, texts: &mut Texts) -> Result<(), Rejection> {
    check_count(list, items.len(), count_max)?;
    let mut names = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let name = item.name();
        check_name("name", name, TEXT_CHARS_MAX)
            .and_then(|()| {
                if names.insert(name) {
                    return Ok(());
                }
                let message = format!("`{name}` appears twice: names must be unique in {list}");
                Err(Rejection::new(Reason::InvalidField, "name", message))
            })
            .and_then(|()| texts.optional("name", name, TEXT_CHARS_MAX))
            .and_then(|()| item.check(texts))
            .map_err(|refusal| refusal.within(&format!("[{index}]")).within(list))?;
    }
    Ok(())
}

impl Named for Dataset {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.optional("data_source", &self.data_source, ADDRESS_CHARS_MAX)?;
        texts.free_form("dataset_configuration", &self.configuration, CONFIGURATION_BYTES_MAX)?;
        texts.optional("type_ref", &self.type_ref, ADDRESS_CHARS_MAX)?;
        check_destinations("destinations", &self.destinations, Targets::All, texts)?;
        check_named(&self.data_points, "data_points", ASSET_PART_ITEMS_MAX, texts)
    }
}

impl Named for DataPoint {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.required("data_source", &self.data_source, ADDRESS_CHARS_MAX)?;
        texts.free_form("data_point_configuration", &self.configuration, CONFIGURATION_BYTES_MAX)?;
        texts.optional("type_ref", &self.type_ref, ADDRESS_CHARS_MAX)
    }
}

impl Named for EventGroup {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.optional("data_source", &self.data_source, ADDRESS_CHARS_MAX)?;
        texts.free_form("event_group_configuration", &self.configuration, CONFIGURATION_BYTES_MAX)?;
        texts.optional("type_ref", &self.type_ref, ADDRESS_CHARS_MAX)?;
        let destinations = &self.default_destinations;
        check_destinations("default_destinations", destinations, Targets::WithoutStateStore, texts)?;
        check_named(&self.events, "events", ASSET_PART_ITEMS_MAX, texts)
    }
}

impl Named for AssetEvent {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.optional("data_source", &self.data_source, ADDRESS_CHARS_MAX)?;
        texts.free_form("event_configuration", &self.configuration, CONFIGURATION_BYTES_MAX)?;
        texts.optional("type_ref", &self.type_ref, ADDRESS_CHARS_MAX)?;
        check_destinations("destinations", &self.destinations, Targets::WithoutStateStore, texts)
    }
}

impl Named for AssetStream {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.free_form("stream_configuration", &self.configuration, CONFIGURATION_BYTES_MAX)?;
        texts.optional("type_ref", &self.type_ref, ADDRESS_CHARS_MAX)?;
        check_destinations("destinations", &self.destinations, Targets::WithoutStateStore, texts)
    }
}

impl Named for ManagementGroup {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.optional("default_topic", &self.default_topic, ADDRESS_CHARS_MAX)?;
        texts.optional("data_source", &self.data_source, ADDRESS_CHARS_MAX)?;
        texts.free_form("management_group_configuration", &self.configuration, CONFIGURATION_BYTES_MAX)?;
        texts.optional("type_ref", &self.type_ref, ADDRESS_CHARS_MAX)?;
        check_named(&self.actions, "actions", ASSET_PART_ITEMS_MAX, texts)
    }
}

impl Named for ManagementAction {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.required("target_uri", &self.target_uri, ADDRESS_CHARS_MAX)?;
        texts.optional("topic", &self.topic, ADDRESS_CHARS_MAX)?;
        texts.free_form("action_configuration", &self.configuration, CONFIGURATION_BYTES_MAX)?;
        texts.optional("type_ref", &self.type_ref, ADDRESS_CHARS_MAX)
    }
}

/// Which targets a list of destinations may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Targets {
    All,
    WithoutStateStore,
}

fn check_destinations(
    list: &str,
    destinations: &[Destination],
    allowed: Targets,
    texts: &mut Texts,
) -> Result<(), Rejection> {
    check_count(list, destinations.len(), ASSET_PARTS_MAX)?;
    for (index, destination) in destinations.iter().enumerate() {
        check_target(&destination.target, allowed, texts)
            .map_err(|refusal| refusal.within(&format!("[{index}]")).within(list))?;
    }
    Ok(())
}

fn check_target(target: &Target, allowed: Targets, texts: &mut Texts) -> Result<(), Rejection> {
    match target {
        Target::Mqtt { topic, qos, retain: _ } => {
            texts.required("topic", topic, ADDRESS_CHARS_MAX)?;
            match qos {
                None | Some(0 | 1) => Ok(()),
                Some(other) => {
                    let message = format!("qos must be 0 or 1, not {other}");
                    Err(Rejection::new(Reason::InvalidField, "qos", message))
                }
            }
        }
        Target::BrokerStateStore { key: _ } if allowed == Targets::WithoutStateStore => {
            let message = "events and streams go to MQTT or storage only, not to the broker's state store";
            Err(Rejection::new(Reason::InvalidField, "target", message))
        }
        Target::BrokerStateStore { key } => texts.required("key", key, ADDRESS_CHARS_MAX),
        Target::Storage { path } => texts.required("path", path, ADDRESS_CHARS_MAX),
    }
}
