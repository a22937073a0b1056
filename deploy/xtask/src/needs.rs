//! What a machine needs to build and test Muster beyond Rust, and how it gets it.
//!
//! RocksDB is C++ and its bindings are made by bindgen, which loads libclang; nothing else is needed (no protoc, no
//! Python). Tests of the bridge to MQTT speak to a real mosquitto. On Debian and its kin the missing packages are installed when we are root or sudo asks for no password;
//! everywhere else the exact command is named and the exit code is 2. Nothing is ever installed besides those packages.

mod libclang;
mod packages;

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

pub(crate) use packages::{Installed, install};

use crate::say;

/// The machine lacks something to build with. Its text names the command that brings it.
#[derive(Debug)]
pub(crate) struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// One thing that is needed.
struct Need {
    /// How it is called in the talk.
    what: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    /// The variable with which a person points at another one.
    variable: &'static str,
}

/// Checks that Muster can be built here, and installs what is missing where that is allowed.
pub(crate) fn for_building() -> Result<()> {
    provide("build", missing_for_building)
}

/// Checks that everything can be tested here, and installs what is missing where that is allowed.
pub(crate) fn for_testing() -> Result<()> {
    for_building()?;
    provide("test", missing_for_testing)
}

fn provide(purpose: &str, missing: fn() -> Vec<Need>) -> Result<()> {
    let lacking = missing();
    if lacking.is_empty() {
        return Ok(());
    }
    if let Some(need) = lacking.iter().find(|need| env::var_os(need.variable).is_some()) {
        // Installing would not help: it is looked for where the variable points.
        bail!(Missing(format!("{} points at nothing usable; correct it or unset it", need.variable)));
    }
    let names: Vec<_> = lacking.iter().map(|need| need.what).collect();
    say::note(&format!("to {purpose} Muster this machine lacks {}", names.join(" and ")));
    let packages: Vec<_> = lacking.iter().map(|need| need.package).collect();
    match install(&packages) {
        Installed::Yes => {}
        Installed::No { how } => bail!(Missing(format!("install {} first:\n\n    {how}\n", names.join(" and ")))),
    }
    let still = missing();
    if let Some(need) = still.first() {
        bail!(Missing(format!("{} was installed, but {} is still not found", need.package, need.what)));
    }
    say::good(&format!("installed {}", packages.join(", ")));
    Ok(())
}

/// Finds a program on the `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Path::new(name).is_file().then(|| PathBuf::from(name));
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn missing_for_building() -> Vec<Need> {
    let mut missing = Vec::new();
    if !has_cpp_compiler() {
        missing.push(Need { what: "a C++ compiler", package: "g++", variable: "CXX" });
    }
    if !libclang::usable() {
        missing.push(Need {
            what: "libclang (bindgen reads RocksDB's header with it)",
            package: "libclang-dev",
            variable: "LIBCLANG_PATH",
        });
    }
    missing
}

fn missing_for_testing() -> Vec<Need> {
    let need = Need { what: "mosquitto (an MQTT broker)", package: "mosquitto", variable: "MOSQUITTO_BINARY" };
    if has_broker() { Vec::new() } else { vec![need] }
}

/// Looks where the tests look. Debian puts it where a user's path does not lead.
fn has_broker() -> bool {
    match env::var_os("MOSQUITTO_BINARY") {
        Some(chosen) => Path::new(&chosen).is_file(),
        None => ["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
            .into_iter()
            .any(|name| program(name).is_some()),
    }
}

/// The build scripts call `$CXX` where it is set (it may carry arguments), else `c++`.
fn has_cpp_compiler() -> bool {
    let chosen = env::var("CXX").unwrap_or_default();
    let name = chosen.split_whitespace().next().unwrap_or("c++");
    program(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path_and_by_their_path() {
        let shell = program("sh").expect("every Unix has a shell");
        assert_eq!(program(shell.to_str().expect("plain path")), Some(shell.clone()));
        assert_eq!(program("surely-not-a-program-of-this-machine"), None);
        assert_eq!(program("/surely/not/here"), None);
    }

    #[test]
    fn missing_needs_show_their_command() {
        let error = anyhow::Error::new(Missing("sudo apt-get install -y g++".to_owned()));
        assert!(error.is::<Missing>());
        assert!(error.to_string().contains("apt-get"));
    }
}
