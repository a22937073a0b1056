//! The fleet that is asked: devices of one seed, the same on every run, and changes of them.
//!
//! After the shape of fleets in the field: few regions of very different size, many buildings, unique serials, numbers that
//! cluster, members that only one device in a thousand has. Every value has one type, so that SQL needs no case for others.

/// Numbers by index: the same everywhere.
fn chance(index: u32, salt: u64) -> u64 {
    let mut z = (u64::from(index) << 16 | salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn of(index: u32, salt: u64, bound: u64) -> u64 {
    chance(index, salt) % bound
}

/// One device, as JSON texts.
pub(super) struct Twin {
    pub(super) id: String,
    pub(super) tags: String,
    pub(super) desired: String,
    pub(super) reported: String,
}

const WORDS: [&str; 16] = [
    "pump", "station", "valve", "boiler", "north", "south", "hall", "line", "press", "oven", "cooler", "gate", "tank",
    "mixer", "belt", "drive",
];

pub(super) fn id(index: u32) -> String {
    format!("site-{:04}/line-{:02}/dev-{index:08}", index % 500, index % 40).replace('/', "-")
}

/// The device of an index.
pub(super) fn twin(index: u32) -> Twin {
    // The first region has half of all, the smallest less than a hundredth.
    let region =
        (0..12_u64).find(|region| of(index, 1, 1_000) < 1_000 - 1_000 / (region + 2) || *region == 11).unwrap_or(11);
    let name =
        (0..3).map(|word| WORDS[usize::try_from(of(index, 20 + word, 16)).unwrap_or(0)]).collect::<Vec<_>>().join(" ");
    let tags = format!(
        r#"{{"region":"r{region}","building":"b{}","floor":{},"tenant":"t{}","name":"{name} {index}","serial":"{:016X}"}}"#,
        of(index, 2, 500),
        of(index, 3, 40),
        of(index, 4, 200),
        chance(index, 5)
    );
    let desired = format!(r#"{{"fw":"2.{}","sampling":{}}}"#, of(index, 6, 4), 10 << of(index, 7, 8));
    let temperature: u64 = (0..4).map(|part| of(index, 30 + part, 200)).sum();
    let mut reported = format!(
        r#"{{"model":"m{}","fw":"2.{}","battery":{},"temp":{}.{},"rssi":{},"connected":{},"lastSeen":{}"#,
        of(index, 8, 60),
        if of(index, 9, 100) < 92 { of(index, 6, 4) } else { of(index, 10, 6) },
        100 - of(index, 11, 101) * of(index, 12, 101) / 100,
        temperature / 10,
        temperature % 10,
        -(i64::try_from(of(index, 13, 70)).unwrap_or(0)) - 30,
        of(index, 14, 100) < 92,
        1_760_000_000_000 + of(index, 15, 10_000_000_000),
    );
    if of(index, 16, 1_000) == 0 {
        reported.push_str(r#","diag":{"core":"trap 7"}"#);
    }
    reported.push('}');
    Twin { id: id(index), tags, desired, reported }
}

/// A change as devices make them: two numbers.
pub(super) fn change(number: u64, twins: u32) -> (u32, String) {
    let index =
        u32::try_from(chance(u32::try_from(number & 0xFFFF_FFFF).unwrap_or(0), 40) % u64::from(twins)).unwrap_or(0);
    let low = u32::try_from(number & 0xFFFF_FFFF).unwrap_or(0);
    (index, format!(r#"{{"battery":{},"temp":{}.{}}}"#, of(low, 41, 101), of(low, 42, 80), of(low, 43, 10)))
}
