//! Whole queries: clauses that fit each other.

use super::Chance;

/// A query as text.
pub(crate) struct Queries<'c> {
    pub(super) chance: &'c mut Chance,
    pub(super) collection: &'static str,
    pub(super) join: bool,
    /// `MATCH` stands in `WHERE` only.
    pub(super) may_match: bool,
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
                elements
                    .push(format!("({key}) {} AS c", self.chance.pick(&["+ 1", "* 2", "= 1", "IN [1, 'a', null]"])));
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
}
