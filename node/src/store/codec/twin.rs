//! Twins: the hot path of the state store, so they are written from the domain's documents and read into them without
//! intermediate messages. The format is `stored/v1/record.proto`; a test holds the two together.
//!
//! - A node that was last touched together with what it lies in says neither when nor at which version.

use std::sync::Arc;

use muster_domain::limits;
use muster_domain::twin::{Builder, Member, Members, NameTwice, Section, Touch, Twin, Value};

use super::CodecError;
use super::backwards::Backwards;
use super::reader::Reader;

/// Levels of nesting that are read: more than [`muster_domain::limits::DEPTH_MAX`] allows to be written, few enough for
/// any thread's stack.
const DEPTH_MAX: u32 = 48;
const _: () = assert!(DEPTH_MAX as u64 > limits::DEPTH_MAX, "what may be written can be read");
/// What lies in arrays has no trace.
const UNTOUCHED: Touch = Touch { time_ms: 0, version: 0 };

/// Writes a twin as field `tag`.
pub(super) fn write(out: &mut Backwards, tag: u32, twin: &Twin) {
    let end = out.end();
    for (tag, section) in [(4, &twin.reported), (3, &twin.desired), (2, &twin.tags)] {
        if section.version != 0
            || section.updated_ms != 0
            || section.updated_version != 0
            || !section.document.is_empty()
        {
            write_section(out, tag, section);
        }
    }
    out.number_if(1, twin.version);
    out.begin(tag, end);
}

fn write_section(out: &mut Backwards, tag: u32, section: &Section) {
    let end = out.end();
    let above = Touch { time_ms: section.updated_ms, version: section.updated_version };
    write_members(out, 4, section.document.members(), above, &mut Vec::new());
    if section.updated_version != section.version {
        out.number(3, section.updated_version);
    }
    out.number_if(2, section.updated_ms);
    out.number_if(1, section.version);
    out.begin(tag, end);
}

/// Writes members from the last to the first; `stack` is what lies between here and the outermost ones.
fn write_members<'a>(out: &mut Backwards, tag: u32, members: Members<'a>, above: Touch, stack: &mut Vec<Member<'a>>) {
    let depth = stack.len();
    stack.extend(members);
    while stack.len() > depth
        && let Some(member) = stack.pop()
    {
        let end = out.end();
        let touch = member.touch();
        match member.value() {
            // Never in a section; written as what a reader refuses.
            Value::Null => {}
            Value::Bool(value) => out.number(4, u64::from(value)),
            Value::Int(value) => out.signed(5, value),
            Value::Float(value) => out.double(6, value),
            Value::String(value) => out.text(7, value.as_bytes()),
            Value::Array(items) => write_array(out, 8, items, stack),
            Value::Object(members) => {
                let end = out.end();
                write_members(out, 1, members, touch, stack);
                out.begin(9, end);
            }
        }
        if touch.version != above.version {
            out.number(3, touch.version);
        }
        if touch.time_ms != above.time_ms {
            out.number(2, touch.time_ms);
        }
        out.text_if(1, member.name().as_bytes());
        out.begin(tag, end);
    }
}

fn write_array<'a>(out: &mut Backwards, tag: u32, items: Members<'a>, stack: &mut Vec<Member<'a>>) {
    let end = out.end();
    write_json(out, items, stack);
    out.begin(tag, end);
}

/// Writes items of an array, or members of an object in one.
fn write_json<'a>(out: &mut Backwards, members: Members<'a>, stack: &mut Vec<Member<'a>>) {
    let depth = stack.len();
    stack.extend(members);
    while stack.len() > depth
        && let Some(member) = stack.pop()
    {
        let end = out.end();
        match member.value() {
            Value::Null => {
                let end = out.end();
                out.begin(2, end);
            }
            Value::Bool(value) => out.number(3, u64::from(value)),
            Value::Int(value) => out.signed(4, value),
            Value::Float(value) => out.double(5, value),
            Value::String(value) => out.text(6, value),
            Value::Array(items) => write_array(out, 7, items, stack),
            Value::Object(members) => {
                let end = out.end();
                write_json(out, members, stack);
                out.begin(8, end);
            }
        }
        out.text_if(1, member.name());
        out.begin(1, end);
    }
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
    let mut members = Builder::with_room(message.left());
    while let Some((tag, wire)) = message.field()? {
        match tag {
            1 => section.version = message.number(wire)?,
            2 => section.updated_ms = message.number(wire)?,
            3 => updated_version = Some(message.number(wire)?),
            4 => {
                let version = updated_version.unwrap_or(section.version);
                let above = Touch { time_ms: section.updated_ms, version };
                let member = message.message("a member of a twin", wire)?;
                read_member(member, above, DEPTH_MAX, &mut members)?;
            }
            _ => message.skip(tag, wire)?,
        }
    }
    section.updated_version = updated_version.unwrap_or(section.version);
    section.document = members.finish().map_err(twice)?;
    Ok(section)
}

/// Reads a member. Its name and its trace come before its value: fields are written in ascending order.
fn read_member(mut message: Reader<'_>, above: Touch, depth: u32, out: &mut Builder) -> Result<(), CodecError> {
    let depth = deeper(depth)?;
    let mut name = "";
    let mut touch = above;
    let mut has_value = false;
    while let Some((tag, wire)) = message.field()? {
        if has_value && tag < 10 {
            return Err(CodecError::malformed("a twin", "a member has a field behind its value"));
        }
        has_value |= (4..10).contains(&tag);
        match tag {
            1 => name = message.text(wire)?,
            2 => touch.time_ms = message.number(wire)?,
            3 => touch.version = message.number(wire)?,
            4 => out.bool(name, touch, message.bool(wire)?),
            5 => out.int(name, touch, message.signed(wire)?),
            6 => out.float(name, touch, message.double(wire)?),
            7 => out.string(name, touch, message.text(wire)?),
            8 => {
                out.open_array(name, touch);
                read_json_list(message.message("an array of a twin", wire)?, false, depth, out)?;
            }
            9 => {
                let mut object = message.message("an object of a twin", wire)?;
                out.open_object(name, touch);
                while let Some((tag, wire)) = object.field()? {
                    match tag {
                        1 => read_member(object.message("a member of a twin", wire)?, touch, depth, out)?,
                        _ => object.skip(tag, wire)?,
                    }
                }
                out.close().map_err(twice)?;
            }
            _ => message.skip(tag, wire)?,
        }
    }
    if has_value { Ok(()) } else { Err(CodecError::UnknownKind { what: "a value of a twin" }) }
}

/// Reads what an array, or an object in one, holds, and closes it. Items of an array have no names.
fn read_json_list(mut message: Reader<'_>, named: bool, depth: u32, out: &mut Builder) -> Result<(), CodecError> {
    while let Some((tag, wire)) = message.field()? {
        match tag {
            1 => read_json(message.message("a value in an array", wire)?, named, depth, out)?,
            _ => message.skip(tag, wire)?,
        }
    }
    out.close().map_err(twice)
}

fn read_json(mut message: Reader<'_>, named: bool, depth: u32, out: &mut Builder) -> Result<(), CodecError> {
    let depth = deeper(depth)?;
    let mut name = "";
    let mut has_value = false;
    while let Some((tag, wire)) = message.field()? {
        if has_value && tag < 9 {
            return Err(CodecError::malformed("a twin", "a value in an array has a field behind it"));
        }
        has_value |= (2..9).contains(&tag);
        match tag {
            1 if named => name = message.text(wire)?,
            2 => {
                message.bytes(wire)?;
                out.null(name, UNTOUCHED);
            }
            3 => out.bool(name, UNTOUCHED, message.bool(wire)?),
            4 => out.int(name, UNTOUCHED, message.signed(wire)?),
            5 => out.float(name, UNTOUCHED, message.double(wire)?),
            6 => out.string(name, UNTOUCHED, message.text(wire)?),
            7 => {
                out.open_array(name, UNTOUCHED);
                read_json_list(message.message("an array in an array", wire)?, false, depth, out)?;
            }
            8 => {
                out.open_object(name, UNTOUCHED);
                read_json_list(message.message("an object in an array", wire)?, true, depth, out)?;
            }
            _ => message.skip(tag, wire)?,
        }
    }
    if has_value { Ok(()) } else { Err(CodecError::UnknownKind { what: "a value in an array" }) }
}

fn deeper(depth: u32) -> Result<u32, CodecError> {
    depth.checked_sub(1).ok_or_else(|| CodecError::malformed("a twin", "it is nested too deep"))
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn twice(name: NameTwice) -> CodecError {
    CodecError::malformed("a twin", format!("the member {:?} is there twice", name.0))
}
