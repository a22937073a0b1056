//! RFC 7396 over documents: what a patch does to a section. It checks nothing; see [`super::check`].

use std::cmp::Ordering;

use super::builder::Builder;
use super::document::{Document, Member, Members, Touch, Value};

/// `before` with `patch` merged in; every node it names, and every node above one, is touched.
pub(super) fn merged(before: &Document, patch: &Document, touch: Touch) -> Document {
    let mut out = Builder::with_room_for(before, patch);
    merge(&mut out, before.members(), patch.members(), touch);
    out.finish_sorted()
}

/// `given` as a whole section: all of it is touched, and members that are null are left out.
pub(super) fn replaced(given: &Document, touch: Touch) -> Document {
    let mut out = Builder::with_room_for(given, &Document::default());
    given.members().for_each(|member| put(&mut out, member, touch));
    out.finish_sorted()
}

fn merge(out: &mut Builder, before: Members<'_>, patch: Members<'_>, touch: Touch) {
    let (mut before, mut patch) = (before.peekable(), patch.peekable());
    loop {
        let order = match (before.peek(), patch.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.name().cmp(new.name()),
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { patch.next() } else { None };
        match (old, new) {
            (Some(old), None) => out.copy(old),
            (old, Some(new)) => put_over(out, old, new, touch),
            (None, None) => return,
        }
    }
}

/// What becomes of one member that the patch names.
fn put_over(out: &mut Builder, old: Option<Member<'_>>, new: Member<'_>, touch: Touch) {
    match (old.map(|old| old.value()), new.value()) {
        (Some(Value::Object(before)), Value::Object(patch)) => {
            out.open_object(new.name(), touch);
            merge(out, before, patch, touch);
            out.close_sorted();
        }
        _ => put(out, new, touch),
    }
}

/// Adds what is new; null removes, so it adds nothing.
fn put(out: &mut Builder, new: Member<'_>, touch: Touch) {
    match new.value() {
        Value::Null => {}
        Value::Object(members) => {
            out.open_object(new.name(), touch);
            members.for_each(|member| put(out, member, touch));
            out.close_sorted();
        }
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Array(_) => {
            let at = out.next();
            out.copy(new);
            out.touch(at, touch);
        }
    }
}
