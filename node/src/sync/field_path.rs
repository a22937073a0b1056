//! Which field two encoded messages of one type differ in first, by its path. It knows messages by the API's own description.
//!
//! A repeated field or a map is named as a whole: which of its elements differs is not looked for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Full names of messages, without a dot before them, and what they consist of.
static MESSAGES: LazyLock<BTreeMap<String, DescriptorProto>> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(muster_proto::FILE_DESCRIPTOR_SET).unwrap_or_default();
    let mut messages = BTreeMap::new();
    for file in set.file {
        let package = file.package().to_owned();
        file.message_type.into_iter().for_each(|message| gather(&package, message, &mut messages));
    }
    messages
});

fn gather(within: &str, message: DescriptorProto, messages: &mut BTreeMap<String, DescriptorProto>) {
    let name = format!("{within}.{}", message.name());
    message.nested_type.iter().for_each(|nested| gather(&name, nested.clone(), messages));
    messages.insert(name, message);
}

/// The path of the field with the least number that is not the same in both; empty when all are.
pub(super) fn first_difference(one: &[u8], other: &[u8], message: &str) -> String {
    let (Some(one), Some(other)) = (fields(one), fields(other)) else { return String::new() };
    let numbers = one.keys().chain(other.keys()).collect::<std::collections::BTreeSet<_>>();
    let Some(number) = numbers.into_iter().find(|number| one.get(number) != other.get(number)) else {
        return String::new();
    };
    let known = MESSAGES.get(message).and_then(|message| {
        message.field.iter().find(|field| u32::try_from(field.number()).is_ok_and(|own| own == *number))
    });
    let Some(field) = known else { return format!("field {number}") };
    let within = match (inner(field), one.get(number), other.get(number)) {
        (Some(inner), Some(one), Some(other)) => match (&one[..], &other[..]) {
            ([one], [other]) => first_difference(one, other, inner),
            _ => String::new(),
        },
        _ => String::new(),
    };
    if within.is_empty() { field.name().to_owned() } else { format!("{}.{within}", field.name()) }
}

/// The message of a field that has one at most.
fn inner(field: &FieldDescriptorProto) -> Option<&str> {
    let is_single = field.r#type() == Type::Message && field.label() != Label::Repeated;
    is_single.then(|| field.type_name().trim_start_matches('.'))
}

/// Values by field, each as its bytes: of a message the encoded one, of anything else the whole field.
fn fields(mut bytes: &[u8]) -> Option<BTreeMap<u32, Vec<&[u8]>>> {
    let mut fields: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
    while !bytes.is_empty() {
        let (number, wire) = decode_key(&mut bytes).ok()?;
        let before = bytes;
        let value = if wire == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
            let (value, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            value
        } else {
            skip_field(wire, number, &mut bytes, DecodeContext::default()).ok()?;
            &before[..before.len() - bytes.len()]
        };
        fields.entry(number).or_default().push(value);
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use muster_proto::v1;

    use super::*;

    fn twin(json: &str, version: u64, etag: &str) -> Vec<u8> {
        let desired = v1::SectionDocument { json: json.to_owned(), version, ..Default::default() };
        let twin = v1::Twin { desired: Some(desired), etag: etag.to_owned(), ..Default::default() };
        v1::Resource { resource: Some(v1::resource::Resource::Twin(twin)) }.encode_to_vec()
    }

    #[test]
    fn the_first_field_that_differs_is_named_with_its_path() {
        let path = |one: &[u8], other: &[u8]| first_difference(one, other, "muster.v1.Resource");
        let own = twin("{}", 3, "7");
        assert_eq!(path(&own, &own), "");
        assert_eq!(path(&own, &twin("{\"a\":1}", 3, "7")), "twin.desired.json");
        assert_eq!(path(&own, &twin("{}", 4, "7")), "twin.desired.version");
        assert_eq!(path(&own, &twin("{}", 3, "8")), "twin.etag");
        let device = v1::Resource { resource: Some(v1::resource::Resource::Device(v1::Device::default())) };
        assert!(!path(&own, &device.encode_to_vec()).is_empty(), "another kind of resource");
        assert_eq!(path(&own, b"\x0a\xff"), "", "what is no message tells nothing");
    }
}
