//! What PostgreSQL is given, in two ways: the indexes of one who knows the documents, and a table made for the very questions.
//!
//! The first is GIN over whole documents with b-trees for ranges and prefixes, words and places. The second keeps what is
//! asked in columns of its own, because an index over an expression cannot answer without the document; partial indexes hold
//! the condition of one question. Which question reads which way is in the report (`EXPLAIN`).

/// Where a twin is, as both ways index it and as it is asked for.
pub(super) const PLACE: &str =
    "point((doc->'tags'->'location'->>'lon')::float8, (doc->'tags'->'location'->>'lat')::float8)";

/// The usual ones, with the names they are dropped by.
const USUAL: [(&str, &str); 3] = [
    ("usual_temp", "((doc->'reported'->'temp'))"),
    ("usual_battery", "((doc->'reported'->'battery'), id)"),
    ("usual_serial", "((doc->'tags'->>'serial') text_pattern_ops)"),
];

/// Of both ways.
fn shared() -> [String; 4] {
    [
        "CREATE INDEX shared_name ON twins USING gin (to_tsvector('simple', doc->'tags'->>'name'))".to_owned(),
        format!("CREATE INDEX shared_place ON twins USING gist ({PLACE})"),
        "CREATE INDEX shared_doc ON twins USING gin (doc jsonb_path_ops)".to_owned(),
        // Not an index: without it the planner takes a region and a model for unique.
        "CREATE STATISTICS shared_groups ON (doc->'tags'->>'region'), (doc->'reported'->>'model') FROM twins"
            .to_owned(),
    ]
}

/// Columns that follow the document. Numbers sent as text are none.
const COLUMNS: [(&str, &str, &str); 11] = [
    ("region", "text", "doc->'tags'->>'region'"),
    ("building", "text", "doc->'tags'->>'building'"),
    ("serial", "text", "doc->'tags'->>'serial'"),
    ("floor", "int", "(doc->'tags'->>'floor')::int"),
    ("model", "text", "doc->'reported'->>'model'"),
    ("fw", "text", "doc->'reported'->>'fw'"),
    ("wanted_fw", "text", "doc->'desired'->>'fw'"),
    ("connected", "boolean", "doc->'reported'->'connected' = 'true'"),
    ("rssi", "int", "(doc->'reported'->>'rssi')::int"),
    (
        "temp",
        "float8",
        "CASE WHEN jsonb_typeof(doc->'reported'->'temp') = 'number' THEN (doc->'reported'->>'temp')::float8 END",
    ),
    (
        "battery",
        "float8",
        "CASE WHEN jsonb_typeof(doc->'reported'->'battery') = 'number' THEN (doc->'reported'->>'battery')::float8 END",
    ),
];

/// One for each question that such an index can help.
const FITTED: [(&str, &str); 14] = [
    ("q2", "(building, battery, id)"),
    ("q3", "(temp)"),
    ("q4", "(connected) WHERE connected"),
    ("q5", "(region)"),
    ("q6", "(model, temp) WHERE connected AND temp IS NOT NULL"),
    ("q7", "(serial text_pattern_ops, id)"),
    ("q8", "(id) WHERE doc->'reported'->'diag' ? 'core'"),
    ("q9", "(fw)"),
    ("q10", "(region) WHERE region <> 'r0' AND NOT doc->'reported' ? 'diag'"),
    ("q11a", "(region, battery)"),
    ("q11b", "(floor, rssi)"),
    ("q12", "(fw) WHERE fw <> wanted_fw"),
    ("q13", "(battery, id)"),
    ("q16", "(building, id)"),
];

/// Makes the usual indexes.
pub(super) fn usual() -> Vec<String> {
    let of_ranges = USUAL.iter().map(|(name, on)| format!("CREATE INDEX {name} ON twins {on}"));
    of_ranges.chain(shared()).collect()
}

/// Makes of a table with the usual indexes the fitted one. They are made anew at the end, because the table is written anew.
pub(super) fn fitted() -> Vec<String> {
    let mut statements: Vec<_> = USUAL.iter().map(|(name, _)| format!("DROP INDEX {name}")).collect();
    statements.extend(["name", "place", "doc"].map(|name| format!("DROP INDEX shared_{name}")));
    let columns = COLUMNS.map(|(name, kind, of)| format!("ADD COLUMN {name} {kind} GENERATED ALWAYS AS ({of}) STORED"));
    statements.push(format!("ALTER TABLE twins {}", columns.join(", ")));
    statements.extend(shared().into_iter().filter(|statement| statement.starts_with("CREATE INDEX")));
    statements.extend(FITTED.iter().map(|(name, on)| format!("CREATE INDEX fitted_{name} ON twins {on}")));
    statements.push("CREATE STATISTICS fitted_groups ON region, model FROM twins".to_owned());
    statements
}
