//! Another way to a peer, for tests that stand between two nodes: they delay, drop and break what one says to the other.
//!
//! `MUSTER_PEER_DETOURS=file` in the environment names a file with lines `ADDRESS DETOUR`, read at each dialling: a peer at
//! `ADDRESS` is then dialled at `DETOUR`. Only in builds with debug assertions, and only with TLS, which makes sure that the
//! peer is met all the same; a release never looks.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| std::env::var_os("MUSTER_PEER_DETOURS").filter(|_| cfg!(debug_assertions)).map(PathBuf::from));

/// Where to dial for a peer at `address`.
pub(crate) fn of(address: &str) -> Cow<'_, str> {
    let Some(file) = &*FILE else { return Cow::Borrowed(address) };
    let lines = std::fs::read_to_string(file).unwrap_or_default();
    find(&lines, address).map_or(Cow::Borrowed(address), |detour| Cow::Owned(detour.to_owned()))
}

fn find<'a>(lines: &'a str, address: &str) -> Option<&'a str> {
    lines.lines().filter_map(|line| line.split_once(' ')).find(|(from, _)| *from == address).map(|(_, to)| to.trim())
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn an_address_is_found_as_a_whole() {
        let lines = "127.0.0.1:10 127.0.0.1:99\n127.0.0.1:1 127.0.0.1:98\n";
        assert_eq!(find(lines, "127.0.0.1:1"), Some("127.0.0.1:98"));
        assert_eq!(find(lines, "127.0.0.1:9"), None);
    }
}
