//! Random documents, changes and queries, all from one seed. Names and values are few, so that queries hit, and chosen where rules
//! meet: integers that no double holds, whole doubles, zeros with signs, texts that look like numbers or dates.

use serde_json::{Map, Value as Json, json};

/// A small generator (splitmix64): the same seed, the same sequence, everywhere.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// The last four hold values of one kind, as most members of a fleet do: the engine keeps those apart.
const NAMES: [&str; 9] = ["a", "b", "c", "text", "list", "whole", "real", "name", "flag"];
const TEXTS: [&str; 12] = [
    "",
    "a",
    "ab",
    "b",
    "pump station 3",
    "Pump, station-7",
    "ü",
    "12",
    "2026-01-31T10:00:00Z",
    "2024-02-29T23:59:59.999Z",
    "a\u{0}b",
    "station",
];

fn number(chance: &mut Chance) -> Json {
    let ints = [0, 1, -1, 2, 3, 7, 9_007_199_254_740_992, 9_007_199_254_740_993, i64::MAX, i64::MIN, 1_767_225_600_000];
    let doubles = [0.0, -0.0, 0.5, 1.0, 2.0, -1.5, 0.1, 0.2, 1e300, -1e300, 9_007_199_254_740_992.0, 5e-324, 9.3e18];
    if chance.one_in(2) {
        // Few, so that they meet.
        return [json!(0), json!(1), json!(2.0), json!(0.5)][chance.below(4)].clone();
    }
    if chance.one_in(2) { json!(ints[chance.below(ints.len())]) } else { json!(doubles[chance.below(doubles.len())]) }
}

/// A value for a member.
fn value_of(chance: &mut Chance, name: &str, depth: usize) -> Json {
    match name {
        "whole" => json!([0, 1, 2, 3, -5, 9_007_199_254_740_993, i64::MAX][chance.below(7)]),
        "real" => json!([0.5, 1.0, 2.0, -0.0, 1e300, 0.1][chance.below(6)]),
        "name" => json!(format!("{}{}", chance.pick(&TEXTS), chance.below(4))),
        "flag" => json!(chance.one_in(2)),
        _ => value(chance, depth),
    }
}

/// A value of any kind; deeper ones are rarer.
pub(crate) fn value(chance: &mut Chance, depth: usize) -> Json {
    match chance.below(if depth == 0 { 8 } else { 12 }) {
        0 => Json::Null,
        1 | 2 => json!(chance.one_in(2)),
        3 | 4 => number(chance),
        5..=7 => json!(chance.pick(&TEXTS)),
        8 => Json::Array((0..chance.below(4)).map(|_| value(chance, depth - 1)).collect()),
        9 => place(chance),
        _ => object(chance, depth - 1),
    }
}

fn place(chance: &mut Chance) -> Json {
    let lat = [52.0, 52.1, -10.0, 0.0, 95.0][chance.below(5)];
    let lon = [4.0, 4.9, 179.0, 0.0, -0.5][chance.below(5)];
    match chance.below(3) {
        0 => json!({ "lat": lat, "lon": lon }),
        1 => json!({ "latitude": lat, "longitude": lon }),
        _ => json!({ "type": "Point", "coordinates": [lon, lat] }),
    }
}

pub(crate) fn object(chance: &mut Chance, depth: usize) -> Json {
    let mut members = Map::new();
    for _ in 0..chance.below(8) {
        let name = chance.pick(&NAMES);
        members.insert(name.to_owned(), value_of(chance, name, depth));
    }
    Json::Object(members)
}

/// A document of a collection.
pub(crate) fn document(chance: &mut Chance, collection: &str, id: &str) -> Json {
    let mut document = json!({ "tags": object(chance, 2), "version": chance.below(4) });
    match collection {
        "devices" => {
            document["deviceId"] = json!(id);
            document["status"] = json!(chance.pick(&["enabled", "disabled"]));
            document["properties"] = json!({ "desired": object(chance, 2), "reported": object(chance, 2) });
        }
        "devices.modules" => {
            let (device, module) = id.split_once('\0').expect("two parts");
            document["deviceId"] = json!(device);
            document["moduleId"] = json!(module);
            document["properties"] = json!({ "desired": object(chance, 1), "reported": object(chance, 1) });
        }
        _ => {
            document["assetName"] = json!(id);
            document["deviceRef"] = json!({ "deviceName": format!("d{}", chance.below(12)) });
        }
    }
    document
}

pub(crate) fn id(chance: &mut Chance, collection: &str) -> String {
    match collection {
        "devices" => format!("d{}", chance.below(30)),
        "devices.modules" => format!("d{}{}\0m{}", chance.below(4), chance.pick(&["", "!", "-x"]), chance.below(4)),
        _ => format!("asset-{}", chance.below(20)),
    }
}

/// Changes some members of a document, as a merge patch does.
pub(crate) fn changed(chance: &mut Chance, mut document: Json) -> Json {
    let sections: &[&str] = if document.get("properties").is_some() {
        &["/tags", "/properties/desired", "/properties/reported"]
    } else {
        &["/tags"]
    };
    let section = document.pointer_mut(chance.pick(sections)).expect("a section");
    for _ in 0..1 + chance.below(2) {
        let name = chance.pick(&NAMES);
        if chance.one_in(4) {
            section.as_object_mut().expect("an object").remove(name);
        } else {
            section[name] = value_of(chance, name, 1);
        }
    }
    document["version"] = json!(document["version"].as_i64().unwrap_or_default() + 1);
    document
}

/// A query as text.
pub(crate) struct Queries<'c> {
    chance: &'c mut Chance,
    collection: &'static str,
    join: bool,
    /// `MATCH` stands in `WHERE` only.
    may_match: bool,
}

impl<'c> Queries<'c> {
    pub(crate) fn new(chance: &'c mut Chance) -> Self {
        let collection = match chance.below(5) {
            0 => "assets",
            1 => "devices.modules",
            _ => "devices",
        };
        let join = collection == "assets" && chance.one_in(2);
        Self { chance, collection, join, may_match: false }
    }

    /// Rows that change one by one: no groups, no order, no past.
    pub(crate) fn live(&mut self) -> String {
        self.join = false;
        let elements = if self.chance.one_in(3) { "*".to_owned() } else { self.elements(false) };
        let filter = self.filter();
        format!("SELECT {elements} FROM {}{filter}", self.collection)
    }

    pub(crate) fn any(&mut self) -> String {
        let distinct = self.chance.one_in(6);
        let grouped = self.chance.one_in(3);
        let top = if self.chance.one_in(4) { format!("TOP {} ", 1 + self.chance.below(6)) } else { String::new() };
        let head = format!("SELECT {}{top}", if distinct { "DISTINCT " } else { "" });
        let from = format!(" FROM {}{}", self.collection, if self.join { " JOIN device" } else { "" });
        let filter = self.filter();
        if grouped {
            let keys: Vec<String> = (0..self.chance.below(3)).map(|_| self.key()).collect();
            let mut elements: Vec<String> =
                keys.iter().enumerate().map(|(index, key)| format!("{key} AS k{index}")).collect();
            if let Some(key) = keys.first().filter(|_| self.chance.one_in(3)) {
                elements.push(format!("{key} {} AS c", self.chance.pick(&["+ 1", "* 2", "= 1", "IN [1, 'a', null]"])));
            }
            for index in 0..1 + self.chance.below(3) {
                elements.push(format!("{} AS n{index}", self.aggregate()));
            }
            let group = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
            let having = if !keys.is_empty() && self.chance.one_in(4) {
                format!(" HAVING {} > 1", self.aggregate())
            } else {
                String::new()
            };
            let order = match self.chance.below(4) {
                0 => format!(" ORDER BY n0{}", self.direction()),
                1 if !distinct => format!(" ORDER BY {}{}, n0 DESC", self.aggregate(), self.direction()),
                _ => String::new(),
            };
            return format!("{head}{}{from}{filter}{group}{having}{order}", elements.join(", "));
        }
        if !distinct && self.chance.one_in(4) {
            return format!("{head}*{from}{filter}{}", self.order());
        }
        let elements = self.elements(distinct);
        let order = if distinct { format!(" ORDER BY e0{}", self.direction()) } else { self.order() };
        let order = if self.chance.one_in(2) { order } else { String::new() };
        format!("{head}{elements}{from}{filter}{order}")
    }

    /// How well rows match, which the condition then has to ask for.
    pub(crate) fn ranked(&mut self) -> String {
        self.join = false;
        let (path, other) = (self.path(), self.path());
        let words = ["pump", "stat*", "\"pump station\"", "pump -3", "station 7 pump", "a b", "-7", "p* s*"];
        let (first, second) = (self.chance.pick(&words), self.chance.pick(&words));
        let second = match self.chance.below(3) {
            0 => format!(" OR MATCH({other}, '{second}')"),
            1 => format!(" OR NOT MATCH({path}, '{second}') AND {}", self.condition(1)),
            _ => String::new(),
        };
        let top = if self.chance.one_in(2) { "TOP 4 " } else { "" };
        let order = self.chance.pick(&["", " ORDER BY SCORE() DESC", " ORDER BY score", " ORDER BY -score, e"]);
        let head = format!("SELECT {top}SCORE() AS score, {path} AS e");
        format!("{head} FROM {} WHERE MATCH({path}, '{first}'){second}{order}", self.collection)
    }

    fn elements(&mut self, _distinct: bool) -> String {
        let count = 1 + self.chance.below(3);
        (0..count).map(|index| format!("{} AS e{index}", self.expression(2))).collect::<Vec<_>>().join(", ")
    }

    fn direction(&mut self) -> &'static str {
        self.chance.pick(&["", " DESC", " ASC"])
    }

    fn order(&mut self) -> String {
        if self.chance.one_in(2) {
            return String::new();
        }
        let keys: Vec<String> =
            (0..1 + self.chance.below(2)).map(|_| format!("{}{}", self.expression(1), self.direction())).collect();
        format!(" ORDER BY {}", keys.join(", "))
    }

    fn filter(&mut self) -> String {
        if self.chance.one_in(5) {
            return String::new();
        }
        self.may_match = true;
        let condition = self.condition(3);
        self.may_match = false;
        format!(" WHERE {condition}")
    }

    fn key(&mut self) -> String {
        match self.chance.below(7) {
            2 => format!("({})", self.condition(0)),
            3 => self.expression(1),
            0 => "status".to_owned(),
            1 => format!("LOWER({})", self.path()),
            _ => self.path(),
        }
        .replace("status", if self.collection == "devices" { "status" } else { "version" })
    }

    fn aggregate(&mut self) -> String {
        let path = self.path();
        match self.chance.below(9) {
            0 => "COUNT()".to_owned(),
            1 => format!("COUNT({path})"),
            2 => format!("COUNT(DISTINCT {path})"),
            3 => format!("SUM({path})"),
            4 => format!("AVG({path})"),
            5 => format!("MIN({path})"),
            6 => format!("MAX({path})"),
            7 => format!("PERCENTILE({path}, {})", [0, 33, 50, 100][self.chance.below(4)]),
            _ => format!("HISTOGRAM({path}, {})", ["2", "0.5", "7"][self.chance.below(3)]),
        }
    }

    fn path(&mut self) -> String {
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

    fn literal(&mut self) -> String {
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

    fn expression(&mut self, depth: usize) -> String {
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

    fn small(&mut self) -> i64 {
        [-13, -1, 0, 1, 2, 3, 25][self.chance.below(7)]
    }

    fn unit(&mut self) -> &'static str {
        self.chance.pick(&["millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"])
    }

    fn condition(&mut self, depth: usize) -> String {
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
