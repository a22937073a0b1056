//! Places in a query: degrees, and polygons that make sense.

use crate::error::{Code, QueryError};
use crate::evaluate::place::{on_edge, side};
use crate::syntax::ast::{self, ExprKind, Span};

use super::binder::Binder;
use super::calls::constant_number;
use super::{LIST_MAX, check_size};

type Corner = (f64, f64);

/// Latitude and longitude.
pub(super) fn degrees<'a>(
    binder: &mut Binder<'a>,
    lat: &'a ast::Expr,
    lon: &'a ast::Expr,
) -> Result<Corner, QueryError> {
    let lat = constant_number(binder, lat, "a latitude is a number from -90 to 90", |lat| lat.abs() <= 90.0)?;
    let lon = constant_number(binder, lon, "a longitude is a number from -180 to 180", |lon| lon.abs() <= 180.0)?;
    Ok((lat, lon))
}

/// The corners of a polygon, the first one not again at the end.
pub(super) fn corners<'a>(binder: &mut Binder<'a>, written: &'a ast::Expr) -> Result<Vec<Corner>, QueryError> {
    let shape = |span| QueryError::new(Code::Invalid, span, "a polygon is a list of corners: [[lat, lon], …]");
    let ExprKind::Array(items) = &written.kind else { return Err(shape(written.span)) };
    check_size("a polygon", "corners", items.iter().map(|item| item.span), LIST_MAX)?;
    let mut corners: Vec<(Corner, Span)> = Vec::with_capacity(items.len());
    for item in items {
        let ExprKind::Array(pair) = &item.kind else { return Err(shape(item.span)) };
        let [lat, lon] = pair.as_slice() else { return Err(shape(item.span)) };
        corners.push((degrees(binder, lat, lon)?, item.span));
    }
    corners.dedup_by_key(|(corner, _)| *corner);
    if corners.len() > 1 && corners.first().map(|first| first.0) == corners.last().map(|last| last.0) {
        corners.pop();
    }
    if corners.len() < 3 {
        return Err(QueryError::new(Code::Invalid, written.span, "a polygon has at least 3 corners"));
    }
    let (corners, spans): (Vec<Corner>, Vec<Span>) = corners.into_iter().unzip();
    check_edges(&corners, &spans)?;
    Ok(corners)
}

fn check_edges(corners: &[Corner], spans: &[Span]) -> Result<(), QueryError> {
    let count = corners.len();
    let edge = |index: usize| (corners[index], corners[(index + 1) % count]);
    for (index, span) in spans.iter().enumerate() {
        let (a, b) = edge(index);
        if (a.1 - b.1).abs() > 180.0 {
            let message =
                "the edge that begins here is longer than 180 degrees of longitude: it would cross the date line";
            return Err(QueryError::new(Code::Invalid, *span, message)
                .with_help("make two polygons, one on each side, and join them with OR"));
        }
        let mut later = index + 1..count;
        let meets = later.any(|other| match other {
            _ if other == index + 1 => folds_back(corners, other),
            _ if index == 0 && other == count - 1 => folds_back(corners, 0),
            _ => meet(edge(index), edge(other)),
        });
        if meets {
            let message = "the edge that begins here meets another one: a polygon does not cross itself";
            return Err(QueryError::new(Code::Invalid, *span, message).with_help("list the corners around the area"));
        }
    }
    Ok(())
}

/// Whether the edge to a corner and the one from it lie on each other.
fn folds_back(corners: &[Corner], at: usize) -> bool {
    let count = corners.len();
    let (before, here, after) = (corners[(at + count - 1) % count], corners[at], corners[(at + 1) % count]);
    side(before, here, after) == 0.0 && (on_edge(after, before, here) || on_edge(before, here, after))
}

/// Whether two edges have a point in common.
fn meet((a, b): (Corner, Corner), (c, d): (Corner, Corner)) -> bool {
    let opposite = |a: f64, b: f64| (a > 0.0 && b < 0.0) || (a < 0.0 && b > 0.0);
    let across = opposite(side(a, b, c), side(a, b, d)) && opposite(side(c, d, a), side(c, d, b));
    across || on_edge(c, a, b) || on_edge(d, a, b) || on_edge(a, c, d) || on_edge(b, c, d)
}
