//! The questions, each in both languages. Rows are compared before anything is timed.

/// One question.
pub(super) struct Question {
    pub(super) name: &'static str,
    /// The least ratio to PostgreSQL that is aimed at.
    pub(super) aim: f64,
    pub(super) muster: &'static str,
    /// Columns in the order of Muster's elements, as text.
    pub(super) sql: &'static str,
}

pub(super) const QUESTIONS: [Question; 14] = [
    Question {
        name: "point: one device by id",
        aim: 1.0,
        muster: "SELECT deviceId, tags.building AS b FROM devices WHERE deviceId = 'site-0042-line-02-dev-00000042'",
        sql: "SELECT id, doc->'tags'->>'building' FROM twins WHERE id = 'site-0042-line-02-dev-00000042'",
    },
    Question {
        name: "selective conjunction",
        aim: 3.0,
        muster: "SELECT deviceId FROM devices WHERE tags.building = 'b43' AND reported.battery < 20",
        sql: "SELECT id FROM twins WHERE doc->'tags'->>'building' = 'b43' AND (doc->'reported'->>'battery')::int < 20 ORDER BY id",
    },
    Question {
        name: "range count",
        aim: 50.0,
        muster: "SELECT COUNT() AS n FROM devices WHERE reported.temp BETWEEN 40 AND 41",
        sql: "SELECT count(*)::text FROM twins WHERE (doc->'reported'->>'temp')::float8 BETWEEN 40 AND 41",
    },
    Question {
        name: "boolean count",
        aim: 50.0,
        muster: "SELECT COUNT() AS n FROM devices WHERE reported.connected = true",
        sql: "SELECT count(*)::text FROM twins WHERE doc->'reported'->'connected' = 'true'",
    },
    Question {
        name: "group by region",
        aim: 50.0,
        muster: "SELECT tags.region AS r, COUNT() AS n FROM devices GROUP BY tags.region",
        sql: "SELECT doc->'tags'->>'region' AS r, count(*)::text FROM twins GROUP BY r ORDER BY r",
    },
    Question {
        name: "grouped average with filter",
        aim: 50.0,
        muster: "SELECT reported.model AS m, AVG(reported.temp) AS a, MIN(reported.temp) AS b, MAX(reported.temp) AS c FROM devices WHERE reported.connected = true GROUP BY reported.model",
        sql: "SELECT doc->'reported'->>'model' AS m, avg((doc->'reported'->>'temp')::float8)::text, min((doc->'reported'->>'temp')::float8)::text, max((doc->'reported'->>'temp')::float8)::text FROM twins WHERE doc->'reported'->'connected' = 'true' GROUP BY m ORDER BY m",
    },
    Question {
        name: "prefix of a serial",
        aim: 3.0,
        muster: "SELECT deviceId FROM devices WHERE STARTSWITH(tags.serial, 'A7F')",
        sql: "SELECT id FROM twins WHERE doc->'tags'->>'serial' LIKE 'A7F%' ORDER BY id",
    },
    Question {
        name: "existence",
        aim: 50.0,
        muster: "SELECT COUNT() AS n FROM devices WHERE IS_DEFINED(reported.diag.core)",
        sql: "SELECT count(*)::text FROM twins WHERE doc->'reported'->'diag' ? 'core'",
    },
    Question {
        name: "IN list",
        aim: 50.0,
        muster: "SELECT COUNT() AS n FROM devices WHERE reported.fw IN ['2.0', '2.3', '2.5'] AND tags.tenant IN ['t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 't9']",
        sql: "SELECT count(*)::text FROM twins WHERE doc->'reported'->>'fw' IN ('2.0', '2.3', '2.5') AND doc->'tags'->>'tenant' IN ('t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 't9')",
    },
    Question {
        name: "negation",
        aim: 50.0,
        muster: "SELECT COUNT() AS n FROM devices WHERE tags.region != 'r0' AND NOT IS_DEFINED(reported.diag)",
        sql: "SELECT count(*)::text FROM twins WHERE doc->'tags'->>'region' <> 'r0' AND NOT doc->'reported' ? 'diag'",
    },
    Question {
        name: "nested OR over five paths",
        aim: 50.0,
        muster: "SELECT COUNT() AS n FROM devices WHERE (tags.region = 'r1' AND reported.battery < 30) OR (tags.floor = 7 AND NOT reported.rssi < -60)",
        sql: "SELECT count(*)::text FROM twins WHERE (doc->'tags'->>'region' = 'r1' AND (doc->'reported'->>'battery')::int < 30) OR ((doc->'tags'->>'floor')::int = 7 AND NOT (doc->'reported'->>'rssi')::int < -60)",
    },
    Question {
        name: "path against path",
        aim: 50.0,
        muster: "SELECT COUNT() AS n FROM devices WHERE desired.fw != reported.fw",
        sql: "SELECT count(*)::text FROM twins WHERE doc->'desired'->>'fw' <> doc->'reported'->>'fw'",
    },
    Question {
        name: "top 20 by battery",
        aim: 3.0,
        muster: "SELECT TOP 20 deviceId, reported.battery AS b FROM devices ORDER BY reported.battery",
        sql: "SELECT id, doc->'reported'->>'battery' FROM twins ORDER BY (doc->'reported'->>'battery')::int, id LIMIT 20",
    },
    Question {
        name: "words in a name, count",
        aim: 3.0,
        muster: "SELECT COUNT() AS n FROM devices WHERE MATCH(tags.name, 'pump station')",
        sql: "SELECT count(*)::text FROM twins WHERE to_tsvector('simple', doc->'tags'->>'name') @@ to_tsquery('simple', 'pump & station')",
    },
];

/// What PostgreSQL is given to be fast with: indexes for some of the questions. The IN list and the nested condition
/// could have b-trees too, existence and path against path partial indexes: their ratios are too good without (README).
pub(super) const INDEXES: [&str; 6] = [
    "CREATE INDEX ON twins ((doc->'tags'->>'building'), ((doc->'reported'->>'battery')::int))",
    "CREATE INDEX ON twins (((doc->'reported'->>'temp')::float8))",
    "CREATE INDEX ON twins (((doc->'reported'->>'battery')::int), id)",
    "CREATE INDEX ON twins ((doc->'tags'->>'serial') text_pattern_ops)",
    "CREATE INDEX ON twins USING gin (to_tsvector('simple', doc->'tags'->>'name'))",
    "CREATE INDEX ON twins USING gin (doc jsonb_path_ops)",
];
