//! Contexts: named sets of endpoints and credentials in `contexts.toml`, and where that file is looked for.
//!
//! The file is found in this order; the first that exists counts:
//! 1. the path given (`--context-file`), which must exist,
//! 2. `MUSTER_CONTEXT_FILE`, which must exist,
//! 3. `.muster/contexts.toml` in the current folder and its parents up to the root of the git repository they are in
//!    (outside a git repository: in the current folder only),
//! 4. `$XDG_CONFIG_HOME/muster/contexts.toml`,
//! 5. `~/.config/muster/contexts.toml`.
//!
//! Paths inside the file are relative to its folder. The file names secrets by path and holds none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::connection::{ClientConfig, ConfigError};

/// The variable that names the file.
pub const CONTEXT_FILE_VARIABLE: &str = "MUSTER_CONTEXT_FILE";

/// Why there is no context.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// No file in any of the places.
    #[error(
        "there is no context file: start musterd on this machine once, pass --context-file or --endpoint, or make one with `muster context set`"
    )]
    NoFile,
    /// The file cannot be read or written.
    #[error("the context file {} cannot be used: {cause}", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the context file {} is not valid: {message}", path.display())]
    Invalid {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The file has no such context.
    #[error("the context file {} has no context `{name}`; it has: {known}", path.display())]
    Unknown {
        /// Where it is.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// Those it has.
        known: String,
    },
    /// The file names no current context, and none was asked for.
    #[error("the context file {} names no `current` context: pick one with `muster context use NAME` or --context", path.display())]
    NoCurrent {
        /// Where it is.
        path: PathBuf,
    },
    /// The context's own settings cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// One way to a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// `https://HOST:PORT`, in order of preference; `http://` on loopback only.
    pub endpoints: Vec<String>,
    /// The authority of the servers' certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The client's certificate; goes with `key_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// The client's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// A file with an API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The name servers prove instead of their host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
    /// The namespace commands use unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl Context {
    /// Settings for a client; reads the files it names.
    ///
    /// # Errors
    /// When a file cannot be read, or a certificate comes without its key.
    pub fn to_config(&self) -> Result<ClientConfig, ConfigError> {
        let mut config = ClientConfig::new(self.endpoints.iter().cloned());
        if let Some(path) = &self.ca_file {
            config = config.ca_file(path)?;
        }
        match (&self.cert_file, &self.key_file) {
            (Some(certificate), Some(key)) => config = config.identity_files(certificate, key)?,
            (None, None) => {}
            _ => return Err(ConfigError::Tls("a certificate file and a key file go together".to_owned())),
        }
        if let Some(path) = &self.token_file {
            config = config.token_file(path)?;
        }
        if let Some(name) = &self.tls_server_name {
            config = config.server_name(name.clone());
        }
        Ok(config)
    }

    fn make_absolute(&mut self, folder: &Path) {
        for path in
            [&mut self.ca_file, &mut self.cert_file, &mut self.key_file, &mut self.token_file].into_iter().flatten()
        {
            // `join` leaves an absolute path as it is.
            *path = folder.join(&*path);
        }
    }
}

/// The file as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextFile {
    /// The context that is used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// All contexts by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
    #[serde(skip)]
    path: PathBuf,
}

impl ContextFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or has unknown keys.
    pub fn load(path: &Path) -> Result<Self, ContextError> {
        let text =
            std::fs::read_to_string(path).map_err(|cause| ContextError::File { path: path.to_owned(), cause })?;
        let mut file: Self = toml::from_str(&text)
            .map_err(|error| ContextError::Invalid { path: path.to_owned(), message: error.to_string() })?;
        path.clone_into(&mut file.path);
        Ok(file)
    }

    /// A new file, not yet written.
    #[must_use]
    pub fn empty(path: &Path) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the context to use: the one asked for, else the current one.
    ///
    /// # Errors
    /// When neither is there.
    pub fn choose<'a>(&'a self, name: Option<&'a str>) -> Result<&'a str, ContextError> {
        match name.or(self.current.as_deref()) {
            Some(name) if self.contexts.contains_key(name) => Ok(name),
            Some(name) => Err(ContextError::Unknown {
                path: self.path.clone(),
                name: name.to_owned(),
                known: self.contexts.keys().cloned().collect::<Vec<_>>().join(", "),
            }),
            None => Err(ContextError::NoCurrent { path: self.path.clone() }),
        }
    }

    /// The context `name` or the current one, with absolute paths.
    ///
    /// # Errors
    /// As [`Self::choose`].
    pub fn context(&self, name: Option<&str>) -> Result<Context, ContextError> {
        let mut context = self.contexts[self.choose(name)?].clone();
        context.make_absolute(self.path.parent().unwrap_or(Path::new("")));
        Ok(context)
    }

    /// Writes the file whole or not at all, for its owner only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<(), ContextError> {
        let text = toml::to_string_pretty(self)
            .map_err(|error| ContextError::Invalid { path: self.path.clone(), message: error.to_string() })?;
        write_private(&self.path, text.as_bytes())
            .map_err(|cause| ContextError::File { path: self.path.clone(), cause })
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension(format!("toml.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

/// The environment the search depends on, so that it can be tested.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The value of `MUSTER_CONTEXT_FILE`.
    pub variable: Option<PathBuf>,
    /// The current folder.
    pub folder: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            variable: path(CONTEXT_FILE_VARIABLE),
            folder: std::env::current_dir().ok(),
            config_home: path("XDG_CONFIG_HOME"),
            home: path("HOME"),
        }
    }

    /// Where a file is written when none exists.
    #[must_use]
    pub fn home_file(&self) -> Option<PathBuf> {
        let folder = self.config_home.clone().or_else(|| self.home.as_ref().map(|home| home.join(".config")))?;
        Some(folder.join("muster/contexts.toml"))
    }

    /// The file to use, or none.
    #[must_use]
    pub fn find(&self, explicit: Option<&Path>) -> Option<PathBuf> {
        if let Some(path) = explicit.or(self.variable.as_deref()) {
            return Some(path.to_owned());
        }
        let home_files = [
            self.config_home.as_ref().map(|folder| folder.join("muster/contexts.toml")),
            self.home.as_ref().map(|home| home.join(".config/muster/contexts.toml")),
        ];
        self.project_file().into_iter().chain(home_files.into_iter().flatten()).find(|path| path.is_file())
    }

    fn project_file(&self) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        let root = folder.ancestors().find(|ancestor| ancestor.join(".git").exists()).unwrap_or(folder);
        folder
            .ancestors()
            .take_while(|ancestor| ancestor.starts_with(root))
            .map(|ancestor| ancestor.join(".muster/contexts.toml"))
            .find(|path| path.is_file())
    }
}

/// Finds and reads the file. `explicit` is the value of `--context-file`.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn load(explicit: Option<&Path>) -> Result<ContextFile, ContextError> {
    let path = Surroundings::of_process().find(explicit).ok_or(ContextError::NoFile)?;
    ContextFile::load(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "current = \"local\"\n[contexts.local]\nendpoints = [\"https://127.0.0.1:7420\"]\nca_file = \"pki/ca.crt\"\n\
                        token_file = \"/etc/token\"\nnamespace = \"plant1\"\n[contexts.far]\nendpoints = [\"https://far:7420\"]\n";

    fn put(path: &Path) -> PathBuf {
        std::fs::create_dir_all(path.parent().expect("has a folder")).expect("temp dir is writable");
        std::fs::write(path, TEXT).expect("temp dir is writable");
        path.to_owned()
    }

    #[test]
    fn the_search_goes_from_near_to_far() {
        let root = tempfile::tempdir().expect("temp dir");
        let repository = root.path().join("home/work/repository");
        let inner = repository.join("a/b");
        std::fs::create_dir_all(&inner).expect("temp dir is writable");
        std::fs::create_dir_all(repository.join(".git")).expect("temp dir is writable");
        let home = root.path().join("home");
        let around =
            Surroundings { variable: None, folder: Some(inner.clone()), config_home: None, home: Some(home.clone()) };
        assert_eq!(around.find(None), None);

        // Above the repository's root nothing is looked for.
        put(&root.path().join("home/work/.muster/contexts.toml"));
        assert_eq!(around.find(None), None);
        let in_home = put(&home.join(".config/muster/contexts.toml"));
        assert_eq!(around.find(None), Some(in_home));
        let in_repository = put(&repository.join(".muster/contexts.toml"));
        assert_eq!(around.find(None), Some(in_repository.clone()));
        let in_folder = put(&inner.join(".muster/contexts.toml"));
        assert_eq!(around.find(None), Some(in_folder));
        let named = Surroundings { variable: Some("elsewhere.toml".into()), ..around.clone() };
        assert_eq!(named.find(None), Some("elsewhere.toml".into()));
        assert_eq!(named.find(Some(Path::new("given.toml"))), Some("given.toml".into()));

        // Outside a git repository only the folder itself counts.
        std::fs::remove_dir(repository.join(".git")).expect("was made above");
        let beside = Surroundings { folder: Some(repository.join("a")), home: None, ..around };
        assert_eq!(beside.find(None), None);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let root = tempfile::tempdir().expect("temp dir");
        let file = ContextFile::load(&put(&root.path().join("contexts.toml"))).expect("is valid");
        let context = file.context(None).expect("has a current one");
        assert_eq!(context.ca_file, Some(root.path().join("pki/ca.crt")));
        assert_eq!(context.token_file, Some("/etc/token".into()));
        assert_eq!(file.context(Some("far")).expect("exists").endpoints, ["https://far:7420"]);
        let error = file.context(Some("near")).expect_err("does not exist").to_string();
        assert!(error.contains("far, local"), "{error}");
    }

    #[test]
    fn unknown_keys_are_refused_and_what_is_saved_reads_back() {
        let root = tempfile::tempdir().expect("temp dir");
        let path = root.path().join("new/contexts.toml");
        let mut file = ContextFile::empty(&path);
        file.current = Some("a".to_owned());
        file.contexts
            .insert("a".to_owned(), Context { endpoints: vec!["http://127.0.0.1:1".to_owned()], ..Context::default() });
        file.save().expect("temp dir is writable");
        assert_eq!(ContextFile::load(&path).expect("was just saved"), file);
        std::fs::write(&path, "curent = \"a\"").expect("temp dir is writable");
        assert!(ContextFile::load(&path).expect_err("has a typing error").to_string().contains("curent"));
    }
}
