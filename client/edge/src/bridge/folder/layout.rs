//! Which file a resource lies in.
//!
//! ```text
//!   devices/{device}/device.json                    assets/{asset}.json
//!   devices/{device}/twin.json
//!   devices/{device}/modules/{module}/module.json
//!   devices/{device}/modules/{module}/twin.json
//! ```
//!
//! - No name leads out of the folder, and no two resources into one file.

use std::path::{Path, PathBuf};

use muster_domain::Key;
use muster_domain::scope::content_hash;

use super::super::escape::escape;
use crate::config::FileFormat;

/// The name of a file that is not whole yet; ids cannot be spelled so.
pub(super) const UNFINISHED: &str = ".unfinished";
/// Longer names are cut: file systems take 255 bytes, and an extension has to fit.
const NAME_BYTES_MAX: usize = 200;
/// What is left of a cut name before its hash.
const CUT_BYTES: usize = 128;

pub(super) fn extension(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Json => "json",
        FileFormat::Yaml => "yaml",
    }
}

/// The file of a resource, relative to the folder; `None` for what has none.
pub(super) fn path_of(name: &str, format: FileFormat) -> Option<PathBuf> {
    let extension = extension(format);
    let of_device = |device: &str| Path::new("devices").join(file_name(device));
    let of_module = |device: &str, module: &str| of_device(device).join("modules").join(file_name(module));
    match Key::parse(name)? {
        Key::Device(_, device) => Some(of_device(&device).join(format!("device.{extension}"))),
        Key::DeviceTwin(_, device) => Some(of_device(&device).join(format!("twin.{extension}"))),
        Key::Module(_, device, module) => Some(of_module(&device, &module).join(format!("module.{extension}"))),
        Key::ModuleTwin(_, device, module) => Some(of_module(&device, &module).join(format!("twin.{extension}"))),
        Key::Asset(_, asset) => Some(Path::new("assets").join(format!("{}.{extension}", file_name(&asset)))),
        _ => None,
    }
}

/// Whether a file could be one of this bridge, in any format.
pub(super) fn is_ours(path: &Path) -> bool {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    let Some(parts) = parts else { return false };
    let is = |file: &str, stems: &[&str]| {
        file == UNFINISHED
            || ["json", "yaml"].iter().any(|extension| stems.iter().any(|stem| file == format!("{stem}.{extension}")))
    };
    match parts.as_slice() {
        ["devices", _, file] => is(file, &["device", "twin"]),
        ["devices", _, "modules", _, file] => is(file, &["module", "twin"]),
        ["assets", file] => *file == UNFINISHED || file.ends_with(".json") || file.ends_with(".yaml"),
        _ => false,
    }
}

/// An id as the name of a file or folder.
fn file_name(id: &str) -> String {
    let mut name = escape(id, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if name.starts_with('.') {
        // Neither `..` nor a hidden file.
        name.replace_range(..1, "%2E");
    }
    if name.len() > NAME_BYTES_MAX {
        let hash = crate::store::hex(&content_hash(id.as_bytes())[..16]);
        name.truncate(CUT_BYTES);
        // No spelling of an id has `~`.
        name = format!("{name}~{hash}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> String {
        path_of(&format!("namespaces/plant1/{name}"), FileFormat::Json).expect("a file").display().to_string()
    }

    #[test]
    fn every_resource_has_a_file_of_its_own() {
        assert_eq!(path("devices/pump-7"), "devices/pump-7/device.json");
        assert_eq!(path("devices/pump-7/twin"), "devices/pump-7/twin.json");
        assert_eq!(path("devices/pump-7/modules/m.1"), "devices/pump-7/modules/m.1/module.json");
        assert_eq!(path("devices/pump-7/modules/m.1/twin"), "devices/pump-7/modules/m.1/twin.json");
        assert_eq!(path("assets/press-1"), "assets/press-1.json");
        assert_eq!(path_of("namespaces/plant1/edges/a", FileFormat::Json), None);
        let yaml = path_of("namespaces/plant1/assets/press-1", FileFormat::Yaml).expect("a file");
        assert_eq!(yaml, Path::new("assets/press-1.yaml"));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for (id, spelling) in
            [("..", "%2E."), (".", "%2E"), (".git", "%2Egit"), ("a\\b", "a%5Cb"), ("~", "%7E"), ("a:b*", "a%3Ab%2A")]
        {
            assert_eq!(path(&format!("devices/{id}")), format!("devices/{spelling}/device.json"));
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (one, other) = (format!("{}a", "#".repeat(127)), format!("{}b", "#".repeat(127)));
        let (one, other) = (file_name(&one), file_name(&other));
        assert!(one.len() <= NAME_BYTES_MAX && one != other, "{one} {other}");
    }

    #[test]
    fn only_what_the_bridge_could_have_made_is_its_own() {
        for ours in ["devices/a/device.yaml", "devices/a/twin.json", "devices/a/modules/b/module.json", "assets/x.json"]
        {
            assert!(is_ours(Path::new(ours)), "{ours}");
        }
        assert!(is_ours(&Path::new("devices/a").join(UNFINISHED)));
        for other in ["notes.txt", "devices/a/notes.txt", "devices/twin.json", "assets/deep/x.json", ".muster-edge"] {
            assert!(!is_ours(Path::new(other)), "{other}");
        }
    }
}
