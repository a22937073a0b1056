//! Plots as SVG: lines over time.

use std::fmt::Write;

/// Of all plots, so that they can be read one above the other.
pub(super) const WIDTH: f64 = 1_100.0;
/// Of a plot.
const HEIGHT: f64 = 150.0;
/// Left of the first slice, for the numbers.
pub(super) const LEFT: f64 = 60.0;

/// A line of a plot.
pub(super) struct Line<'a> {
    pub title: &'a str,
    pub colour: &'a str,
    pub values: Vec<f64>,
}

/// Where an instant lies, of a whole.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
pub(super) fn across(instant: u64, whole: u64) -> f64 {
    LEFT + (WIDTH - LEFT) * (instant as f64 / whole.max(1) as f64)
}

/// A plot of some lines with one scale.
pub(super) fn plot(title: &str, unit: &str, lines: &[Line<'_>]) -> String {
    let most = lines.iter().flat_map(|line| &line.values).copied().fold(1e-9, f64::max);
    let mut svg = format!("<h2>{title}</h2>\n<svg width=\"{WIDTH}\" height=\"{}\">\n", HEIGHT + 24.0);
    for part in [0.0, 0.5, 1.0] {
        let y = HEIGHT * (1.0 - part) + 4.0;
        let value = most * part;
        // Writing to a string cannot fail.
        let _written = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#ddd\"/>\
             <text x=\"0\" y=\"{}\">{value:.0} {unit}</text>",
            y + 4.0
        );
    }
    for (place, line) in lines.iter().enumerate() {
        let whole = line.values.len() as u64;
        let points: Vec<String> = (0_u64..)
            .zip(&line.values)
            .map(|(slice, value)| format!("{:.1},{:.1}", across(slice, whole), HEIGHT * (1.0 - value / most) + 4.0))
            .collect();
        let (colour, x) = (line.colour, 120 * place + 70);
        let _written = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" points=\"{}\"/>\
             <text x=\"{x}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            HEIGHT + 20.0,
            line.title
        );
    }
    svg + "</svg>\n"
}
