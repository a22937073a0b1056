//! Twins: the hot path of the state store, so they are written from the domain's tree and read into it without
//! intermediate messages. The format is `stored/v1/record.proto`; a test holds the two together.
//!
//! - A node that was last touched together with what it lies in says neither when nor at which version.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::json::Json;
use muster_domain::twin::{Members, Node, Section, Twin, Value};

use super::CodecError;
use super::backwards::Backwards;
use super::reader::Reader;

/// Levels of nesting that are read: more than [`muster_domain::limits::DEPTH_MAX`] allows to be written, few enough for
/// any thread's stack.
const DEPTH_MAX: u32 = 48;

/// When and at which version something was last touched.
#[derive(Clone, Copy)]
struct Touch {
    ms: u64,
    version: u64,
}

/// Writes a twin as field `tag`.
pub(super) fn write(out: &mut Backwards, tag: u32, twin: &Twin) {
    let end = out.end();
    for (tag, section) in [(4, &twin.reported), (3, &twin.desired), (2, &twin.tags)] {
        if section.version != 0
            || section.updated_ms != 0
            || section.updated_version != 0
            || !section.members.is_empty()
        {
            write_section(out, tag, section);
        }
    }
    out.number_if(1, twin.version);
    out.begin(tag, end);
}

fn write_section(out: &mut Backwards, tag: u32, section: &Section) {
    let end = out.end();
    let above = Touch { ms: section.updated_ms, version: section.updated_version };
    write_members(out, 4, &section.members, above);
    if section.updated_version != section.version {
        out.number(3, section.updated_version);
    }
    out.number_if(2, section.updated_ms);
    out.number_if(1, section.version);
    out.begin(tag, end);
}

fn write_members(out: &mut Backwards, tag: u32, members: &Members, above: Touch) {
    for (name, node) in members.iter().rev() {
        let end = out.end();
        match &node.value {
            Value::Bool(value) => out.number(4, u64::from(*value)),
            Value::Int(value) => out.signed(5, *value),
            Value::Float(value) => out.double(6, *value),
            Value::String(value) => out.text(7, value.as_bytes()),
            Value::Array(items) => write_array(out, 8, items),
            Value::Object(members) => {
                let end = out.end();
                write_members(out, 1, members, Touch { ms: node.updated_ms, version: node.updated_version });
                out.begin(9, end);
            }
        }
        if node.updated_version != above.version {
            out.number(3, node.updated_version);
        }
        if node.updated_ms != above.ms {
            out.number(2, node.updated_ms);
        }
        out.text_if(1, name.as_bytes());
        out.begin(tag, end);
    }
}

fn write_array(out: &mut Backwards, tag: u32, items: &[Json]) {
    let end = out.end();
    for item in items.iter().rev() {
        write_json(out, "", item);
    }
    out.begin(tag, end);
}

fn write_json(out: &mut Backwards, name: &str, value: &Json) {
    let end = out.end();
    match value {
        Json::Null => {
            let end = out.end();
            out.begin(2, end);
        }
        Json::Bool(value) => out.number(3, u64::from(*value)),
        Json::Int(value) => out.signed(4, *value),
        Json::Float(value) => out.double(5, *value),
        Json::String(value) => out.text(6, value),
        Json::Array(items) => write_array(out, 7, items),
        Json::Object(members) => {
            let end = out.end();
            for (name, value) in members.iter().rev() {
                write_json(out, name, value);
            }
            out.begin(8, end);
        }
    }
    out.text_if(1, name);
    out.begin(1, end);
}

/// Reads a twin.
pub(super) fn read(mut message: Reader<'_>) -> Result<Twin, CodecError> {
    let mut twin = Twin { version: 0, tags: Arc::default(), desired: Arc::default(), reported: Arc::default() };
    while let Some((tag, wire)) = message.field()? {
        match tag {
            1 => twin.version = message.number(wire)?,
            2 => twin.tags = Arc::new(read_section(message.message("the tags of a twin", wire)?)?),
            3 => twin.desired = Arc::new(read_section(message.message("the desired section of a twin", wire)?)?),
            4 => twin.reported = Arc::new(read_section(message.message("the reported section of a twin", wire)?)?),
            _ => message.skip(tag, wire)?,
        }
    }
    Ok(twin)
}

fn read_section(mut message: Reader<'_>) -> Result<Section, CodecError> {
    let mut section = Section::default();
    let mut updated_version = None;
    while let Some((tag, wire)) = message.field()? {
        match tag {
            1 => section.version = message.number(wire)?,
            2 => section.updated_ms = message.number(wire)?,
            3 => updated_version = Some(message.number(wire)?),
            4 => {
                let above = Touch { ms: section.updated_ms, version: updated_version.unwrap_or(section.version) };
                let member = message.message("a member of a twin", wire)?;
                read_member(member, above, DEPTH_MAX, &mut section.members)?;
            }
            _ => message.skip(tag, wire)?,
        }
    }
    section.updated_version = updated_version.unwrap_or(section.version);
    Ok(section)
}

/// Reads a member. The fields that a touch is relative to come before it: fields are written in ascending order.
fn read_member(mut message: Reader<'_>, above: Touch, depth: u32, members: &mut Members) -> Result<(), CodecError> {
    let depth = deeper(depth)?;
    let mut name = "";
    let mut touch = above;
    let mut value = None;
    while let Some((tag, wire)) = message.field()? {
        match tag {
            1 => name = message.text(wire)?,
            2 => touch.ms = message.number(wire)?,
            3 => touch.version = message.number(wire)?,
            4 => value = Some(Value::Bool(message.bool(wire)?)),
            5 => value = Some(Value::Int(message.signed(wire)?)),
            6 => value = Some(Value::Float(message.double(wire)?)),
            7 => value = Some(Value::String(message.text(wire)?.into())),
            8 => value = Some(Value::Array(read_array(message.message("an array of a twin", wire)?, depth)?)),
            9 => {
                let mut object = message.message("an object of a twin", wire)?;
                let mut members = BTreeMap::new();
                while let Some((tag, wire)) = object.field()? {
                    match tag {
                        1 => {
                            let member = object.message("a member of a twin", wire)?;
                            read_member(member, touch, depth, &mut members)?;
                        }
                        _ => object.skip(tag, wire)?,
                    }
                }
                value = Some(Value::Object(members));
            }
            _ => message.skip(tag, wire)?,
        }
    }
    let value = value.ok_or(CodecError::UnknownKind { what: "a value of a twin" })?;
    let node = Node { updated_ms: touch.ms, updated_version: touch.version, value };
    insert(members, name, node)
}

fn read_array(mut message: Reader<'_>, depth: u32) -> Result<Vec<Json>, CodecError> {
    let mut items = Vec::new();
    while let Some((tag, wire)) = message.field()? {
        match tag {
            1 => items.push(read_json(message.message("an item of an array", wire)?, depth)?.1),
            _ => message.skip(tag, wire)?,
        }
    }
    Ok(items)
}

fn read_json(mut message: Reader<'_>, depth: u32) -> Result<(&str, Json), CodecError> {
    let depth = deeper(depth)?;
    let mut name = "";
    let mut value = None;
    while let Some((tag, wire)) = message.field()? {
        match tag {
            1 => name = message.text(wire)?,
            2 => {
                message.bytes(wire)?;
                value = Some(Json::Null);
            }
            3 => value = Some(Json::Bool(message.bool(wire)?)),
            4 => value = Some(Json::Int(message.signed(wire)?)),
            5 => value = Some(Json::Float(message.double(wire)?)),
            6 => value = Some(Json::String(message.text(wire)?.to_owned())),
            7 => value = Some(Json::Array(read_array(message.message("an array in an array", wire)?, depth)?)),
            8 => {
                let mut object = message.message("an object in an array", wire)?;
                let mut members = BTreeMap::new();
                while let Some((tag, wire)) = object.field()? {
                    match tag {
                        1 => {
                            let (name, value) = read_json(object.message("a member in an array", wire)?, depth)?;
                            insert(&mut members, name, value)?;
                        }
                        _ => object.skip(tag, wire)?,
                    }
                }
                value = Some(Json::Object(members));
            }
            _ => message.skip(tag, wire)?,
        }
    }
    Ok((name, value.ok_or(CodecError::UnknownKind { what: "a value in an array" })?))
}

fn deeper(depth: u32) -> Result<u32, CodecError> {
    depth.checked_sub(1).ok_or_else(|| CodecError::malformed("a twin", "it is nested too deep"))
}

fn insert<K: Ord + for<'a> From<&'a str>, T>(
    members: &mut BTreeMap<K, T>,
    name: &str,
    value: T,
) -> Result<(), CodecError> {
    match members.insert(K::from(name), value) {
        None => Ok(()),
        Some(_) => Err(CodecError::malformed("a twin", format!("the member {name:?} is there twice"))),
    }
}
