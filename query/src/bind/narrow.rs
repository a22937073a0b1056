//! What a condition about a place says of the place's numbers: a box around it, which columns answer at once. Only rows in the box are
//! looked at one by one.
//!
//! Invariant: whatever fulfils the condition lies in its box, in each of the forms that a place has.

use super::fold;
use crate::evaluate::place::RADIUS;
use crate::plan::{Constant, Expr, Function, PlaceAt};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

/// Degrees by which a box is larger than it has to be: more than rounding makes, and than what counts as on an edge.
const SLACK: f64 = 1e-6;

/// Least and greatest.
type Range = (f64, f64);

/// The filter with a box beside each place that it demands. Other rows may be false where they were undefined: a filter drops both.
pub(super) fn narrow(filter: Expr) -> Expr {
    let parts = match &filter {
        Expr::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let boxes: Vec<Expr> = parts.iter().filter_map(boxed).collect();
    if boxes.is_empty() { filter } else { fold::junction(false, boxes.into_iter().chain([filter]).collect()) }
}

/// What lies in the box of a condition about the members of a place.
fn boxed(condition: &Expr) -> Option<Expr> {
    let (place, lat, lon) = match condition {
        Expr::Near { place, lat, lon, metres } => {
            let (lat, lon) = around(*lat, *lon, *metres);
            (place, lat, lon)
        }
        Expr::Within { place, corners } => {
            let (lats, lons) = (corners.iter().map(|corner| corner.0), corners.iter().map(|corner| corner.1));
            (place, range(lats), Some(range(lons)))
        }
        _ => return None,
    };
    let PlaceAt::Members(_, members) = place else { return None };
    let [lat_a, lon_a, lat_b, lon_b, _, coordinates] = members.as_ref();
    let within = |at_lat: &Expr, at_lon: &Expr| {
        let lons = lon.map(|range| between(at_lon, range));
        fold::junction(false, between(at_lat, lat).into_iter().chain(lons.into_iter().flatten()).collect())
    };
    let point = Expr::Call(Function::IsDefined, vec![coordinates.clone()]);
    Some(fold::junction(true, vec![within(lat_a, lon_a), within(lat_b, lon_b), point]))
}

fn between(at: &Expr, (least, greatest): Range) -> [Expr; 2] {
    let number = |value| Box::new(Expr::Constant(Constant(Some(Value::Float(value)))));
    let compare = |op, value| Expr::Compare(op, Box::new(at.clone()), number(value));
    [compare(BinaryOp::GreaterOrEqual, least - SLACK), compare(BinaryOp::LessOrEqual, greatest + SLACK)]
}

fn range(values: impl Iterator<Item = f64>) -> Range {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), value| (least.min(value), greatest.max(value)))
}

/// Latitudes of a circle, and longitudes unless it holds a pole or crosses the date line.
fn around(lat: f64, lon: f64, metres: f64) -> (Range, Option<Range>) {
    let angle = metres / RADIUS;
    let lats = (lat - angle.to_degrees(), lat + angle.to_degrees());
    if lats.0 - SLACK <= -90.0 || lats.1 + SLACK >= 90.0 {
        return (lats, None);
    }
    let wide = (angle.sin() / lat.to_radians().cos()).asin().to_degrees();
    let lons = (lon - wide, lon + wide);
    let is_whole = lons.0 - SLACK > -180.0 && lons.1 + SLACK < 180.0;
    (lats, is_whole.then_some(lons))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_lies_in_its_box() {
        for (lat, lon, metres) in [(42.0, 14.0, 5_000.0), (-60.0, 100.0, 2e6), (0.0, 0.0, 0.0), (80.0, -20.0, 1e6)] {
            let (lats, lons) = around(lat, lon, metres);
            let lons = lons.expect("neither a pole nor the date line");
            for step in 0..3_600 {
                // A point of the circle, by its bearing.
                let bearing = f64::from(step / 10).to_radians();
                let (lat, lon, angle) = (lat.to_radians(), lon.to_radians(), metres / RADIUS);
                let to = (lat.sin() * angle.cos() + lat.cos() * angle.sin() * bearing.cos()).asin();
                let east = (bearing.sin() * angle.sin() * lat.cos()).atan2(angle.cos() - lat.sin() * to.sin());
                let (to, east) = (to.to_degrees(), (lon + east).to_degrees());
                assert!(lats.0 - SLACK <= to && to <= lats.1 + SLACK, "{to} in {lats:?}");
                assert!(lons.0 - SLACK <= east && east <= lons.1 + SLACK, "{east} in {lons:?}");
            }
        }
    }

    #[test]
    fn a_circle_around_a_pole_or_over_the_date_line_has_all_longitudes() {
        assert_eq!(around(89.0, 10.0, 200_000.0).1, None);
        assert_eq!(around(-89.9, 10.0, 200_000.0).1, None);
        assert_eq!(around(10.0, 179.9, 50_000.0).1, None);
        assert_eq!(around(0.0, 0.0, 3e7).1, None);
    }
}
