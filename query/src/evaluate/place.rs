//! Places on the sphere: how far apart, and in which polygon.

use super::{Datum, number};
use crate::plan::PlaceAt;

/// Metres.
pub(crate) const RADIUS: f64 = 6_371_008.8;

/// Whether the place is at most `metres` from `center` (latitude, longitude); `None` when it is no place.
pub(super) fn near(place: Option<(f64, f64)>, center: (f64, f64), metres: f64) -> Option<bool> {
    Some(distance(place?, center) <= metres)
}

/// Whether the place is in the polygon or on its edge; `None` when it is no place.
pub(super) fn within(place: Option<(f64, f64)>, corners: &[(f64, f64)]) -> Option<bool> {
    let point = place?;
    let mut inside = false;
    for (index, a) in corners.iter().enumerate() {
        let b = corners[(index + 1) % corners.len()];
        if on_edge(point, *a, b) {
            return Some(true);
        }
        inside ^= crosses(point, *a, b);
    }
    Some(inside)
}

/// Latitude and longitude of a place in one of its three forms.
pub(super) fn read(place: &Datum<'_>) -> Option<(f64, f64)> {
    let place = place.as_json()?;
    of_members(|index| place.member(PlaceAt::MEMBERS[index]).into())
}

/// The same from its members, in the order of [`PlaceAt::MEMBERS`]; no more are asked for than are needed.
pub(super) fn of_members<'v>(member: impl Fn(usize) -> Datum<'v>) -> Option<(f64, f64)> {
    let degrees = |lat: &Datum<'_>, lon: &Datum<'_>| {
        let (lat, lon) = (number::as_double(lat)?, number::as_double(lon)?);
        (lat.abs() <= 90.0 && lon.abs() <= 180.0).then_some((lat, lon))
    };
    degrees(&member(0), &member(1)).or_else(|| degrees(&member(2), &member(3))).or_else(|| {
        let (kind, coordinates) = (member(4), member(5));
        let at = coordinates.as_array()?;
        // A third coordinate is a height.
        let is_point = kind.as_text() == Some("Point") && at.len() >= 2;
        if is_point { degrees(&at.get(1).into(), &at.first().into()) } else { None }
    })
}

/// Along the great circle, by the haversine, metres.
fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (lat_a, lat_b) = (a.0.to_radians(), b.0.to_radians());
    let lat = ((lat_b - lat_a) / 2.0).sin();
    let lon = ((b.1 - a.1).to_radians() / 2.0).sin();
    let half = lat * lat + lat_a.cos() * lat_b.cos() * lon * lon;
    2.0 * RADIUS * half.sqrt().min(1.0).asin()
}

/// Above 0 when `c` lies left of the line from `a` to `b`, 0 when on it.
pub(crate) fn side(a: (f64, f64), b: (f64, f64), c: (f64, f64)) -> f64 {
    (b.1 - a.1) * (c.0 - a.0) - (b.0 - a.0) * (c.1 - a.1)
}

/// How far from an edge a point may be that lies on it, degrees: 0.1 mm, and far more than what degrees written in decimal lose
/// as doubles.
const ON_EDGE: f64 = 1e-9;

/// Whether the point lies on the edge from `a` to `b`.
pub(crate) fn on_edge(point: (f64, f64), a: (f64, f64), b: (f64, f64)) -> bool {
    let between = |value: f64, a: f64, b: f64| a.min(b) - ON_EDGE <= value && value <= a.max(b) + ON_EDGE;
    let length = (b.0 - a.0).hypot(b.1 - a.1);
    between(point.0, a.0, b.0) && between(point.1, a.1, b.1) && side(a, b, point).abs() <= ON_EDGE * length
}

/// Whether the ray from the point to the east goes through the edge; a corner belongs to the edge above it.
fn crosses(point: (f64, f64), a: (f64, f64), b: (f64, f64)) -> bool {
    if (a.0 > point.0) == (b.0 > point.0) {
        return false;
    }
    let (low, high) = if a.0 < b.0 { (a, b) } else { (b, a) };
    side(low, high, point) > 0.0
}
