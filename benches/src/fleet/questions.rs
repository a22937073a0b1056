//! The questions, each in both languages; numbers and names follow the usual catalogue of fleet queries.
//!
//! SQL is there twice where it helps: as it is asked of documents with the usual indexes, and of a table that was made for
//! these questions (`indexes.rs`). Where a number may have been sent as text, the first compares `jsonb` with `jsonb`: there text
//! is below every number, so a lower bound keeps it out, as Muster's undefined does. Rows are compared before anything is timed.

use super::dataset::{Fleet, degrees, site};
use super::indexes::PLACE;

/// One question.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// What `--only` takes.
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    /// The least ratio to PostgreSQL that is aimed at.
    pub(super) aim: Option<f64>,
    pub(super) muster: String,
    /// Columns in the order of Muster's elements, as text.
    pub(super) sql: String,
    /// The same asked of the fitted table; nothing where it cannot be asked better.
    pub(super) fitted: Option<String>,
    /// All rows are read in pages of so many, of one state of the fleet.
    pub(super) page: Option<u16>,
    /// Doubles that were added up in another order are the same.
    pub(super) rounded: bool,
}

impl Question {
    fn new(key: &'static str, name: &'static str, aim: f64, muster: &str, sql: &str) -> Self {
        let aim = (aim > 0.0).then_some(aim);
        Self {
            key,
            name,
            aim,
            muster: muster.to_owned(),
            sql: sql.to_owned(),
            fitted: None,
            page: None,
            rounded: false,
        }
    }

    /// How it is asked of the fitted table.
    fn fitted(self, sql: &str) -> Self {
        Self { fitted: Some(sql.to_owned()), ..self }
    }

    /// A question that finds one probe.
    pub(super) fn probe(number: u32) -> Self {
        let muster = format!("SELECT deviceId FROM devices WHERE reported.probe = {number}");
        let sql = format!(r#"SELECT id FROM twins WHERE doc @> '{{"reported":{{"probe":{number}}}}}'"#);
        Self::new("probe", "freshness", 0.0, &muster, &sql)
    }
}

/// All of them, about this fleet.
pub(super) fn all(fleet: &Fleet) -> Vec<Question> {
    let mut questions = selective(fleet);
    questions.extend(wide());
    questions.extend(places());
    questions.push(Question {
        page: Some(100),
        ..Question::new(
            "q16",
            "all pages of 100",
            0.0,
            &format!("SELECT deviceId FROM devices WHERE tags.building IN [{}]", quoted("b", 10..20)),
            &format!("SELECT id FROM twins WHERE doc @> ANY (ARRAY[{}]::jsonb[]) ORDER BY id", buildings(10..20)),
        )
        .fitted(&format!("SELECT id FROM twins WHERE building IN ({}) ORDER BY id", quoted("b", 10..20)))
    });
    questions
}

fn selective(fleet: &Fleet) -> Vec<Question> {
    let id = fleet.id(42 % fleet.twins);
    // One in 4,096 begins so, and one does in each fleet.
    let beginning: String = fleet.serial(42).chars().take(3).collect();
    vec![
        Question::new(
            "q1",
            "point: one device by id",
            1.0,
            &format!("SELECT deviceId, tags.building AS b FROM devices WHERE deviceId = '{id}'"),
            &format!("SELECT id, doc->'tags'->>'building' FROM twins WHERE id = '{id}'"),
        ),
        Question::new(
            "q2",
            "selective conjunction",
            3.0,
            "SELECT deviceId FROM devices WHERE tags.building = 'b43' AND reported.battery < 50",
            r#"SELECT id FROM twins WHERE doc @> '{"tags":{"building":"b43"}}' AND doc->'reported'->'battery' < '50' AND doc->'reported'->'battery' >= '-1e308' ORDER BY id"#,
        )
        .fitted("SELECT id FROM twins WHERE building = 'b43' AND battery < 50 ORDER BY id"),
        Question::new(
            "q3",
            "range count",
            50.0,
            "SELECT COUNT() AS n FROM devices WHERE reported.temp BETWEEN 40 AND 41",
            "SELECT count(*)::text FROM twins WHERE doc->'reported'->'temp' BETWEEN '40' AND '41'",
        )
        .fitted("SELECT count(*)::text FROM twins WHERE temp BETWEEN 40 AND 41"),
        Question::new(
            "q7",
            "prefix of a serial",
            3.0,
            &format!("SELECT deviceId FROM devices WHERE STARTSWITH(tags.serial, '{beginning}')"),
            &format!("SELECT id FROM twins WHERE doc->'tags'->>'serial' LIKE '{beginning}%' ORDER BY id"),
        )
        .fitted(&format!("SELECT id FROM twins WHERE serial LIKE '{beginning}%' ORDER BY id")),
        Question::new(
            "q13",
            "top 20 by battery",
            3.0,
            "SELECT TOP 20 deviceId, reported.battery AS b FROM devices WHERE reported.battery >= 0 ORDER BY reported.battery",
            "SELECT id, doc->'reported'->>'battery' FROM twins WHERE doc->'reported'->'battery' >= '0' ORDER BY doc->'reported'->'battery', id LIMIT 20",
        )
        .fitted("SELECT id, battery::text AS b FROM twins WHERE battery >= 0 ORDER BY battery, id LIMIT 20"),
        Question::new(
            "q14",
            "words in a name, count",
            3.0,
            "SELECT COUNT() AS n FROM devices WHERE MATCH(tags.name, 'pump station1*')",
            "SELECT count(*)::text FROM twins WHERE to_tsvector('simple', doc->'tags'->>'name') @@ to_tsquery('simple', 'pump & station1:*')",
        ),
    ]
}

fn wide() -> Vec<Question> {
    vec![
        Question::new(
            "q4",
            "boolean count",
            50.0,
            "SELECT COUNT() AS n FROM devices WHERE reported.connected = true",
            "SELECT count(*)::text FROM twins WHERE doc->'reported'->'connected' = 'true'",
        )
        .fitted("SELECT count(*)::text FROM twins WHERE connected"),
        Question::new(
            "q5",
            "group by region",
            50.0,
            "SELECT tags.region AS r, COUNT() AS n FROM devices GROUP BY tags.region",
            "SELECT doc->'tags'->>'region' AS r, count(*)::text FROM twins GROUP BY r ORDER BY r",
        )
        .fitted("SELECT region, count(*)::text FROM twins GROUP BY region ORDER BY region"),
        Question {
            rounded: true,
            ..Question::new(
                "q6",
                "grouped average with filter",
                50.0,
                "SELECT reported.model AS m, AVG(reported.temp) AS a, MIN(reported.temp) AS b, MAX(reported.temp) AS c FROM devices WHERE reported.connected = true AND IS_NUMBER(reported.temp) GROUP BY reported.model",
                "SELECT doc->'reported'->>'model' AS m, avg((doc->'reported'->>'temp')::float8)::text, min((doc->'reported'->>'temp')::float8)::text, max((doc->'reported'->>'temp')::float8)::text FROM twins WHERE doc->'reported'->'connected' = 'true' AND jsonb_typeof(doc->'reported'->'temp') = 'number' GROUP BY m ORDER BY m",
            )
            .fitted("SELECT model, avg(temp)::text, min(temp)::text, max(temp)::text FROM twins WHERE connected AND temp IS NOT NULL GROUP BY model ORDER BY model")
        },
        Question::new(
            "q8",
            "existence",
            50.0,
            "SELECT COUNT() AS n FROM devices WHERE IS_DEFINED(reported.diag.core)",
            "SELECT count(*)::text FROM twins WHERE doc->'reported'->'diag' ? 'core'",
        ),
        Question::new(
            "q9",
            "IN of fifty",
            50.0,
            &format!("SELECT COUNT() AS n FROM devices WHERE reported.fw IN [{}]", quoted("2.", 20..70)),
            &format!("SELECT count(*)::text FROM twins WHERE doc->'reported'->>'fw' IN ({})", quoted("2.", 20..70)),
        )
        .fitted(&format!("SELECT count(*)::text FROM twins WHERE fw IN ({})", quoted("2.", 20..70))),
        Question::new(
            "q10",
            "negation",
            50.0,
            "SELECT COUNT() AS n FROM devices WHERE tags.region != 'r0' AND NOT IS_DEFINED(reported.diag)",
            "SELECT count(*)::text FROM twins WHERE doc->'tags'->>'region' <> 'r0' AND NOT doc->'reported' ? 'diag'",
        )
        .fitted("SELECT count(*)::text FROM twins WHERE region <> 'r0' AND NOT doc->'reported' ? 'diag'"),
        Question::new(
            "q11",
            "nested OR over four paths",
            50.0,
            "SELECT COUNT() AS n FROM devices WHERE (tags.region = 'r1' AND reported.battery < 30) OR (tags.floor = 7 AND NOT reported.rssi < -60)",
            "SELECT count(*)::text FROM twins WHERE (doc->'tags'->>'region' = 'r1' AND doc->'reported'->'battery' < '30' AND doc->'reported'->'battery' >= '-1e308') OR (doc->'tags'->'floor' = '7' AND NOT doc->'reported'->'rssi' < '-60')",
        )
        .fitted("SELECT count(*)::text FROM twins WHERE (region = 'r1' AND battery < 30) OR (floor = 7 AND rssi >= -60)"),
        Question::new(
            "q12",
            "path against path",
            50.0,
            "SELECT COUNT() AS n FROM devices WHERE desired.fw != reported.fw",
            "SELECT count(*)::text FROM twins WHERE doc->'desired'->>'fw' <> doc->'reported'->>'fw'",
        )
        .fitted("SELECT count(*)::text FROM twins WHERE fw <> wanted_fw"),
    ]
}

fn places() -> Vec<Question> {
    let (latitude, longitude) = site(77);
    let (lat, lon) = (degrees(latitude), degrees(longitude));
    // A box around the circle, for the index; then the great circle itself. Both as wide as a circle of 5 km is at 60 degrees.
    let corner = |sign: i64| {
        let moved = |value: u64, by: i64| degrees(value.saturating_add_signed(sign * by));
        format!("point({}, {})", moved(longitude, 9_100), moved(latitude, 4_600))
    };
    let (from, to) = (corner(-1), corner(1));
    // An octagon about 4 km wide.
    let corners: [(i64, i64); 8] =
        [(2, 1), (1, 2), (-1, 2), (-2, 1), (-2, -1), (-1, -2), (1, -2), (2, -1)].map(|(y, x)| (y * 1_000, x * 1_500));
    let at = |(y, x): &(i64, i64)| {
        (degrees(latitude.saturating_add_signed(*y)), degrees(longitude.saturating_add_signed(*x)))
    };
    let ring = |format: &dyn Fn((String, String)) -> String| {
        corners.iter().map(|corner| format(at(corner))).collect::<Vec<_>>().join(", ")
    };
    // PostgreSQL takes a point for one on an edge when the area that it spans with the edge is below a millionth, which is up to six
    // metres beside these. So each side is looked at once more.
    let sides = (0..corners.len()).map(|index| {
        let (from, to) = (at(&corners[index]), at(&corners[(index + 1) % corners.len()]));
        format!(
            "({} - {}) * (p[1] - {}) <= ({} - {}) * (p[0] - {}) + 1e-11",
            to.1, from.1, from.0, to.0, from.0, from.1
        )
    });
    let inside = sides.collect::<Vec<_>>().join(" AND ");
    vec![
        Question::new(
            "q15",
            "within 5 km",
            0.0,
            &format!("SELECT deviceId FROM devices WHERE NEAR(tags.location, {lat}, {lon}, 5000)"),
            &format!(
                "SELECT id FROM (SELECT id, {} AS p FROM twins) AS t WHERE p <@ box({from}, {to}) AND 2 * 6371008.8 * asin(sqrt(power(sin(radians(p[1] - {lat}) / 2), 2) + cos(radians({lat})) * cos(radians(p[1])) * power(sin(radians(p[0] - {lon}) / 2), 2))) <= 5000 ORDER BY id",
                PLACE
            ),
        ),
        Question::new(
            "q15p",
            "in a polygon",
            0.0,
            &format!(
                "SELECT deviceId FROM devices WHERE WITHIN(tags.location, [{}])",
                ring(&|(y, x)| format!("[{y}, {x}]"))
            ),
            &format!(
                "SELECT id FROM (SELECT id, {} AS p FROM twins) AS t WHERE p <@ polygon '({})' AND {} ORDER BY id",
                PLACE,
                ring(&|(y, x)| format!("({x}, {y})")),
                inside,
            ),
        ),
    ]
}

/// Documents that hold one of these buildings, as a GIN index is asked for them.
fn buildings(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!(r#"'{{"tags":{{"building":"b{number}"}}}}'"#)).collect::<Vec<_>>().join(", ")
}

fn quoted(prefix: &str, numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("'{prefix}{number}'")).collect::<Vec<_>>().join(", ")
}
