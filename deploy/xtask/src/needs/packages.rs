//! Installs Debian packages where that is allowed, and names the command everywhere else.
//!
//! Knows package managers, not why a package is needed. Installing is allowed on Debian and its kin as root, or when
//! sudo asks for no password; a password is never asked for.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use crate::say;

/// What came of an attempt to install.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Installed {
    /// The packages are there.
    Yes,
    /// They are not; `how` is the command to run by hand.
    No { how: String },
}

/// The kinds of systems whose commands we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Debian,
    Fedora,
    Arch,
    Suse,
    Alpine,
    MacOs,
    Other,
}

/// Who may install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    Root,
    SudoWithoutPassword,
    None,
}

/// Installs packages, named as Debian names them, or says how.
pub(crate) fn install(packages: &[&str]) -> Installed {
    let system = if cfg!(target_os = "macos") {
        System::MacOs
    } else {
        fs::read_to_string("/etc/os-release").map_or(System::Other, |text| system_of(&text))
    };
    let rights = rights();
    let how = by_hand(system, rights, packages);
    if system != System::Debian || rights == Rights::None {
        return Installed::No { how };
    }
    // Fresh machines have no package lists yet, and stale lists name packages that are gone.
    let update = apt(rights, &["update", "--quiet"]);
    let mut arguments = vec!["install", "--yes", "--quiet"];
    arguments.extend(packages);
    if update && apt(rights, &arguments) { Installed::Yes } else { Installed::No { how } }
}

fn apt(rights: Rights, arguments: &[&str]) -> bool {
    let mut command = if rights == Rights::Root {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    };
    let prefix = if rights == Rights::Root { "" } else { "sudo " };
    say::step(&format!("{prefix}apt-get {}", arguments.join(" ")));
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn rights() -> Rights {
    if fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        return Rights::Root;
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if sudo.status().is_ok_and(|status| status.success()) { Rights::SudoWithoutPassword } else { Rights::None }
}

/// Reads `/etc/os-release`: the system's own id, then those it descends from.
fn system_of(os_release: &str) -> System {
    let mut names = Vec::new();
    for key in ["ID=", "ID_LIKE="] {
        let value = os_release.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        names.extend(value.trim_matches('"').split_whitespace().map(str::to_owned));
    }
    let known = names.iter().map(|name| match name.as_str() {
        "debian" | "ubuntu" => System::Debian,
        "fedora" | "rhel" | "centos" => System::Fedora,
        "arch" => System::Arch,
        "suse" | "opensuse" => System::Suse,
        "alpine" => System::Alpine,
        _ => System::Other,
    });
    known.into_iter().find(|system| *system != System::Other).unwrap_or(System::Other)
}

/// What other systems call Debian's packages: Debian, Fedora, Arch, openSUSE, Alpine. Empty where another package of
/// the same list brings it.
const NAMES: [[&str; 5]; 5] = [
    ["g++", "gcc-c++", "gcc", "gcc-c++", "g++"],
    ["libclang-dev", "clang-devel", "clang", "clang-devel", "clang-dev clang-libclang"],
    ["etcd-server", "etcd", "etcd", "etcd", "etcd"],
    ["etcd-client", "", "", "", ""],
    ["mosquitto", "mosquitto", "mosquitto", "mosquitto", "mosquitto"],
];

/// The command that a person runs to get the packages.
fn by_hand(system: System, rights: Rights, packages: &[&str]) -> String {
    let sudo = if rights == Rights::Root { "" } else { "sudo " };
    let named = |column: usize| {
        let rows = packages.iter().filter_map(|package| NAMES.iter().find(|row| row[0] == *package));
        rows.map(|row| row[column]).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ")
    };
    match system {
        System::Debian => format!("{sudo}apt-get update && {sudo}apt-get install -y {}", packages.join(" ")),
        System::Fedora => format!("{sudo}dnf install -y {}", named(1)),
        System::Arch => format!("{sudo}pacman -S --needed {}", named(2)),
        System::Suse => format!("{sudo}zypper install -y {}", named(3)),
        System::Alpine => format!("{sudo}apk add {}", named(4)),
        System::MacOs if packages.contains(&"etcd-server") => "brew install etcd".to_owned(),
        System::MacOs if packages.contains(&"mosquitto") => "brew install mosquitto".to_owned(),
        System::MacOs => "xcode-select --install".to_owned(),
        System::Other => format!("use your package manager to install what Debian calls {}", packages.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [&str; 2] = ["g++", "libclang-dev"];

    #[test]
    fn systems_are_known_by_their_id_or_by_their_ancestors() {
        assert_eq!(system_of("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"), System::Debian);
        assert_eq!(system_of("ID=ubuntu\nID_LIKE=debian\n"), System::Debian);
        assert_eq!(system_of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), System::Debian);
        assert_eq!(system_of("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), System::Fedora);
        assert_eq!(system_of("ID=nixos\n"), System::Other);
        assert_eq!(system_of(""), System::Other);
        // The version's id is not the system's id.
        assert_eq!(system_of("VERSION_ID=\"debian\"\nID=void\n"), System::Other);
    }

    #[test]
    fn the_command_is_the_whole_command() {
        assert_eq!(
            by_hand(System::Debian, Rights::None, &BOTH),
            "sudo apt-get update && sudo apt-get install -y g++ libclang-dev"
        );
        assert_eq!(by_hand(System::Debian, Rights::Root, &["g++"]), "apt-get update && apt-get install -y g++");
        assert_eq!(by_hand(System::Fedora, Rights::None, &BOTH), "sudo dnf install -y gcc-c++ clang-devel");
        assert_eq!(
            by_hand(System::Arch, Rights::None, &["etcd-server", "etcd-client"]),
            "sudo pacman -S --needed etcd"
        );
        assert!(by_hand(System::Other, Rights::None, &BOTH).contains("g++ and libclang-dev"));
    }
}
