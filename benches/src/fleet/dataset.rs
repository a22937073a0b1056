//! The fleet that is asked, and how it changes: from a seed, the same on every run, one device at a time.
//!
//! After the shape of fleets in the field: regions of very different size, buildings and sites, unique serials, numbers that
//! cluster, members that only a few devices have, two thousand paths that hardly any has, numbers sent as text by mistake.
//! Knows no query and no system. No `null`: a twin's sections hold none, so a member is there or it is not.

/// Parts of a thousand of the regions: Zipf over twelve.
const REGIONS: [u64; 12] = [322, 161, 107, 81, 64, 54, 46, 40, 36, 32, 29, 28];
/// How many paths of the long tail a device has.
const OF_TAIL: u64 = 5;
const WORDS: [&str; 16] = [
    "pump", "station", "valve", "boiler", "north", "south", "hall", "line", "press", "oven", "cooler", "gate", "tank",
    "mixer", "belt", "drive",
];
/// A prime above any number of devices, which spreads those that change often over the fleet.
const SPREAD: u64 = 2_654_435_761;
/// Milliseconds since 1970: after everything that the fleet begins with.
const LATER: u64 = 1_770_000_000_000;

/// Devices by index, below `twins`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fleet {
    pub(super) seed: u64,
    pub(super) twins: u32,
    /// Different paths of the long tail; with 0 there is none.
    pub(super) tail: u32,
}

/// One device, as JSON texts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Twin {
    pub(super) id: String,
    pub(super) tags: String,
    pub(super) desired: String,
    pub(super) reported: String,
}

/// The part of a twin that a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Tags,
    Desired,
    Reported,
}

/// A merge patch of one section; its members have no members of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) id: String,
    pub(super) section: Section,
    pub(super) patch: String,
}

impl Fleet {
    /// Any number, the same everywhere.
    fn chance(&self, index: u64, salt: u64) -> u64 {
        let mut z = (index << 16 | salt).wrapping_add(self.seed << 48).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&self, index: u64, salt: u64, bound: u64) -> u64 {
        self.chance(index, salt) % bound
    }

    /// The name of a device.
    pub(super) fn id(&self, index: u32) -> String {
        format!("site-{:04}-line-{:02}-dev-{index:08}", index % 500, index % 40)
    }

    /// The device of an index.
    pub(super) fn twin(&self, index: u32) -> Twin {
        let at = u64::from(index);
        Twin { id: self.id(index), tags: self.tags(at), desired: self.desired(at), reported: self.reported(at) }
    }

    fn tags(&self, at: u64) -> String {
        // Devices lie within three kilometres of their site; hundred-thousandths of a degree.
        let (latitude, longitude) = site(at % 500);
        let (latitude, longitude) =
            (latitude + self.below(at, 17, 5_001) - 2_500, longitude + self.below(at, 18, 5_001) - 2_500);
        format!(
            r#"{{"region":"r{}","building":"b{}","floor":{},"tenant":"t{}","owner":"o{}","name":"{}","serial":"{}","location":{{"lat":{},"lon":{}}}}}"#,
            self.region(at),
            self.below(at, 2, 500),
            self.below(at, 3, 40),
            self.below(at, 4, 200),
            self.below(at, 19, 5_000),
            self.name(at),
            self.serial(at),
            degrees(latitude),
            degrees(longitude),
        )
    }

    /// A unique one.
    pub(super) fn serial(&self, at: u64) -> String {
        format!("{:016X}", self.chance(at, 5))
    }

    fn region(&self, at: u64) -> usize {
        let mut part = self.below(at, 1, 1_000);
        REGIONS
            .iter()
            .position(|size| {
                part.checked_sub(*size).is_none_or(|rest| {
                    part = rest;
                    false
                })
            })
            .unwrap_or(0)
    }

    fn name(&self, at: u64) -> String {
        let word = |salt| WORDS[usize::try_from(self.below(at, salt, 16)).unwrap_or(0)];
        let marked = |salt| format!("{}{}", word(salt), self.below(at, salt + 1, 64));
        format!("{} {} {} {at}", word(20), marked(21), marked(23))
    }

    fn desired(&self, at: u64) -> String {
        format!(
            r#"{{"fw":"2.{}","sampling":{},"config":"c{}"}}"#,
            self.below(at, 6, 150),
            10 << self.below(at, 7, 8),
            self.below(at, 25, 300)
        )
    }

    fn reported(&self, at: u64) -> String {
        let current = self.below(at, 9, 100) < 92;
        let firmware = if current { self.below(at, 6, 150) } else { self.below(at, 10, 150) };
        let mut text = format!(
            r#"{{"model":"m{}","fw":"2.{firmware}","battery":{},"temp":{},"connected":{},"lastSeen":{}"#,
            self.below(at, 8, 60),
            self.mistaken(at, 26, (100 - self.below(at, 11, 101) * self.below(at, 12, 101) / 100).to_string()),
            self.mistaken(at, 27, tenths((0..4).map(|part| self.below(at, 30 + part, 200)).sum())),
            self.below(at, 14, 100) < 92,
            1_760_000_000_000 + self.below(at, 15, 10_000_000_000),
        );
        if self.below(at, 28, 100) != 0 {
            text.push_str(&format!(r#","rssi":-{}"#, 30 + self.below(at, 13, 70)));
        }
        if self.below(at, 29, 100) < 5 {
            text.push_str(&format!(r#","errors":["E{}","E{}"]"#, self.below(at, 34, 40), self.below(at, 35, 40)));
        }
        if self.below(at, 16, 1_000) == 0 {
            text.push_str(r#","diag":{"core":"trap 7"}"#);
        }
        let paths = u64::from(self.tail);
        let first = self.below(at, 36, paths.max(1));
        for step in 0..OF_TAIL.min(paths) {
            // Evenly apart, so that a device has no path twice.
            let path = (first + step * (paths / OF_TAIL).max(1)) % paths;
            text.push_str(&format!(r#","x{path:04}":{}"#, self.below(at, 37 + step, 1_000)));
        }
        text.push('}');
        text
    }

    /// A number that three of a hundred devices send as text.
    fn mistaken(&self, at: u64, salt: u64, number: String) -> String {
        if self.below(at, salt, 100) < 3 { format!("\"{number}\"") } else { number }
    }

    /// A change as fleets make them: nearly all are numbers of devices, and some devices change much more often than others.
    pub(super) fn change(&self, number: u64) -> Change {
        let below = |salt: u64, bound: u64| self.below(number, 50 + salt, bound);
        let (section, patch) = match below(0, 1_000) {
            0..900 => {
                let seen = if below(1, 2) == 0 { String::new() } else { format!(r#","lastSeen":{}"#, LATER + number) };
                let patch = format!(r#"{{"battery":{},"temp":{}{seen}}}"#, below(2, 101), tenths(below(3, 800)));
                (Section::Reported, patch)
            }
            // With the time, so that a report is a change also when the state is the old one.
            900..950 => {
                (Section::Reported, format!(r#"{{"connected":{},"lastSeen":{}}}"#, below(4, 100) < 92, LATER + number))
            }
            950..975 => (Section::Reported, format!(r#"{{"fw":"2.{}"}}"#, below(5, 150))),
            975..985 => (Section::Desired, format!(r#"{{"fw":"2.{}"}}"#, below(6, 150))),
            985..995 => (Section::Tags, format!(r#"{{"building":"b{}","floor":{}}}"#, below(7, 500), below(8, 40))),
            _ => (Section::Tags, format!(r#"{{"name":"pump station{} {number}"}}"#, below(9, 64))),
        };
        Change { id: self.id(self.restless(number)), section, patch }
    }

    /// A change that nothing else makes.
    pub(super) fn probe(&self, number: u32) -> Change {
        let id = self.id(number % self.twins);
        Change { id, section: Section::Reported, patch: format!(r#"{{"probe":{number}}}"#) }
    }

    /// A device by Zipf with an exponent of 0.9.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank, bounded below"
    )]
    fn restless(&self, number: u64) -> u32 {
        let part = (self.chance(number, 49) >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = ((f64::from(self.twins).powf(0.1) - 1.0) * part + 1.0).powi(10) as u64;
        let index = rank.saturating_sub(1).min(u64::from(self.twins) - 1) * SPREAD % u64::from(self.twins);
        u32::try_from(index).unwrap_or(0)
    }
}

/// Where a site lies, in hundred-thousandths of a degree; each has a place of its own.
pub(super) fn site(number: u64) -> (u64, u64) {
    (4_000_000 + number * 3_000, 200_000 + number * 211 % 500 * 5_000)
}

/// Hundred-thousandths as JSON: without zeros at the end, as both sides write it.
pub(super) fn degrees(value: u64) -> String {
    let text = format!("{}.{:05}", value / 100_000, value % 100_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn tenths(value: u64) -> String {
    if value.is_multiple_of(10) { (value / 10).to_string() } else { format!("{}.{}", value / 10, value % 10) }
}

#[cfg(test)]
mod tests;
