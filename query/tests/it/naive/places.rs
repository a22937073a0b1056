//! Places: section 8.

use serde_json::Value as Json;

/// Latitude and longitude of a place.
pub(crate) fn place(value: &Json) -> Option<(f64, f64)> {
    let get = |lat: &str, lon: &str| Some((value.get(lat)?.as_f64()?, value.get(lon)?.as_f64()?));
    let point = || {
        let coordinates = value.get("coordinates").filter(|_| value.get("type").is_some_and(|kind| kind == "Point"))?;
        Some((coordinates.get(1)?.as_f64()?, coordinates.get(0)?.as_f64()?))
    };
    let (lat, lon) = get("lat", "lon").or_else(|| get("latitude", "longitude")).or_else(point)?;
    (lat.abs() <= 90.0 && lon.abs() <= 180.0).then_some((lat, lon))
}

pub(crate) fn metres(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (lat_a, lat_b) = (a.0.to_radians(), b.0.to_radians());
    let (lat, lon) = ((b.0 - a.0).to_radians(), (b.1 - a.1).to_radians());
    let h = (lat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (lon / 2.0).sin().powi(2);
    2.0 * 6_371_008.8 * h.sqrt().min(1.0).asin()
}

/// Whether a point lies in a polygon or on its edge: crossings of a ray to the east.
pub(crate) fn is_within(point: (f64, f64), corners: &[(f64, f64)]) -> bool {
    let (y, x) = point;
    let mut inside = false;
    for (index, (ay, ax)) in corners.iter().enumerate() {
        let (by, bx) = corners[(index + 1) % corners.len()];
        let cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
        if cross == 0.0 && x >= ax.min(bx) && x <= ax.max(bx) && y >= ay.min(by) && y <= ay.max(by) {
            return true;
        }
        if (*ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
            inside = !inside;
        }
    }
    inside
}
