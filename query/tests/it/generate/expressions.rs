//! Paths, literals, expressions and conditions of queries.

use super::Queries;
use super::documents::{NAMES, TEXTS, number};

impl Queries<'_> {
    pub(super) fn path(&mut self) -> String {
        let mut path = match (self.collection, self.chance.below(10)) {
            (_, 0) => return "version".to_owned(),
            ("devices", 1) => return "status".to_owned(),
            ("devices" | "devices.modules", 2) => return "deviceId".to_owned(),
            ("assets", 1..=5) if self.join => {
                self.chance.pick(&["device.tags", "device.properties.reported"]).to_owned()
            }
            ("assets", _) => "tags".to_owned(),
            (_, 3) => "desired".to_owned(),
            (_, 4..=6) => "properties.reported".to_owned(),
            _ => "tags".to_owned(),
        };
        for _ in 0..1 + self.chance.below(2) {
            path.push('.');
            path.push_str(self.chance.pick(&NAMES));
            if self.chance.one_in(2) {
                break;
            }
        }
        path
    }

    pub(super) fn literal(&mut self) -> String {
        match self.chance.below(10) {
            0 => "null".to_owned(),
            1 => self.chance.pick(&["true", "false"]).to_owned(),
            2..=5 => number(self.chance).to_string(),
            _ => {
                let text = self.chance.pick(&TEXTS);
                format!("'{}'", text.replace('\u{0}', "\\u0000"))
            }
        }
    }

    pub(super) fn expression(&mut self, depth: usize) -> String {
        let path = self.path();
        if depth == 0 {
            return if self.chance.one_in(4) { self.literal() } else { path };
        }
        let inner = if self.chance.one_in(3) { self.expression(depth - 1) } else { path.clone() };
        match self.chance.below(34) {
            22 => format!("DATE_ADD('{}', {}, {path})", self.unit(), self.small()),
            23 => format!("DATE_DIFF('{}', {path}, {inner})", self.unit()),
            24 => format!("FROM_MILLIS(TO_MILLIS({path}))"),
            25 => format!("{}({path})", self.chance.pick(&["SQRT", "EXP", "LOWER", "FROM_MILLIS", "- - "])),
            26 => format!("POWER({path}, {})", self.small()),
            27 => format!("SUBSTRING({path}, {inner})"),
            28 => format!("({})", self.condition(1)),
            29 => format!("ARRAY_CONTAINS({path}, {inner})"),
            30 => format!("-({path} {} {inner})", self.chance.pick(&["+", "-", "*", "/", "%"])),
            31 => format!("BUCKET({path}, {inner})"),
            32 => format!("CONCAT({path}, {inner})"),
            33 => format!("INDEX_OF({path}, {inner})"),
            0 => format!("{path} {} {inner}", self.chance.pick(&["+", "-", "*", "/", "%"])),
            1 => format!("-{path}"),
            2 => format!("LENGTH({path})"),
            3 => format!("UPPER({path})"),
            4 => format!("CONCAT({path}, '-', {inner})"),
            5 => format!("SUBSTRING({path}, {}, 3)", self.chance.below(3)),
            6 => format!("INDEX_OF({path}, 'a')"),
            7 => format!("{}({path})", self.chance.pick(&["ABS", "SIGN", "FLOOR", "CEILING", "ROUND", "SQUARE"])),
            8 => format!("BUCKET({path}, {})", ["2", "0.5"][self.chance.below(2)]),
            9 => format!("AS_NUMBER({path})"),
            10 => format!("ARRAY_LENGTH({path})"),
            11 => format!("TO_MILLIS({path})"),
            12 => format!("DATE_PART('{}', {path})", self.unit()),
            13 => format!("DATE_TRUNC('{}', {path})", self.unit()),
            14 => format!("IS_DEFINED({path})"),
            _ => path,
        }
    }

    pub(super) fn small(&mut self) -> i64 {
        [-13, -1, 0, 1, 2, 3, 25][self.chance.below(7)]
    }

    pub(super) fn unit(&mut self) -> &'static str {
        self.chance.pick(&["millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"])
    }

    pub(super) fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.chance.one_in(3) {
            return match self.chance.below(3) {
                0 => format!("NOT ({})", self.condition(depth - 1)),
                1 => format!("({}) AND ({})", self.condition(depth - 1), self.condition(depth - 1)),
                _ => format!("({}) OR ({})", self.condition(depth - 1), self.condition(depth - 1)),
            };
        }
        let path = self.path();
        let compare = self.chance.pick(&["=", "!=", "<", "<=", ">", ">="]);
        match self.chance.below(28) {
            20 => format!("{path} LIKE '{}' ESCAPE '!'", self.chance.pick(&["!_%", "%!%", "a!b", "!%", "%!!%"])),
            21 => format!("{path} NOT BETWEEN {} AND {}", self.path(), self.literal()),
            22 => format!("{} IN [{path}, {}, {}]", self.path(), self.path(), self.literal()),
            23 => format!("{path} NOT IN {}", self.path()),
            24 => format!(
                "{} x IN {path} SATISFIES {} y IN x SATISFIES y {compare} {}",
                self.chance.pick(&["ANY", "ALL"]),
                self.chance.pick(&["ANY", "ALL", "NOT ANY"]),
                self.path()
            ),
            25 => format!(
                "({} x IN {path} SATISFIES x.{} {compare} {} OR x IN {}) = {}",
                self.chance.pick(&["ANY", "ALL"]),
                self.chance.pick(&NAMES),
                self.literal(),
                self.path(),
                self.chance.pick(&["true", "false"])
            ),
            26 => format!("({}) {compare} ({})", self.condition(0), self.condition(0)),
            27 => format!("WITHIN({path}, [[0, 0], [-10, 0], [0, -0.5]]) OR NEAR({path}, -10, 179, 200000)"),
            0..=4 => format!("{path} {compare} {}", self.literal()),
            5 => format!("{} {compare} {path}", self.literal()),
            6 | 7 => format!("{path} {compare} {}", self.path()),
            8 => format!("{} {compare} {}", self.expression(1), self.expression(1)),
            9 => format!(
                "{path} {} [{}, {}, {}]",
                self.chance.pick(&["IN", "NIN"]),
                self.literal(),
                self.literal(),
                self.literal()
            ),
            10 => format!("{} IN {path}", self.literal()),
            11 => format!("{path} BETWEEN {} AND {}", self.literal(), self.literal()),
            12 => format!("{path} LIKE '{}'", self.chance.pick(&["a%", "%3", "_", "%", "%u%"])),
            13 => path,
            14 => {
                let kinds = ["DEFINED", "NULL", "BOOL", "NUMBER", "STRING", "ARRAY", "OBJECT", "PRIMITIVE"];
                format!("IS_{}({path})", self.chance.pick(&kinds))
            }
            15 => format!(
                "{}({path}, '{}')",
                self.chance.pick(&["STARTSWITH", "ENDSWITH", "CONTAINS"]),
                self.chance.pick(&["a", "", "pump", "3"])
            ),
            16 if self.may_match => format!(
                "MATCH({path}, '{}')",
                self.chance.pick(&["pump", "stat*", "\"pump station\"", "pump -3", "station 7"])
            ),
            17 => format!("NEAR({path}, 52.0, 4.0, {})", [1, 15_000, 70_000][self.chance.below(3)]),
            18 => format!("WITHIN({path}, [[51, 3], [53, 3], [53, 5], [51, 5]])"),
            _ => format!("{} x IN {path} SATISFIES x {compare} {}", self.chance.pick(&["ANY", "ALL"]), self.literal()),
        }
    }
}
