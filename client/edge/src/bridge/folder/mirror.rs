//! Makes files equal to resources: those that are named, or all of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use muster_proto::edge::v1::FolderStatus;
use muster_proto::v1;

use super::super::feed::Due;
use super::{FolderError, files, layout};
use crate::config::FileFormat;
use crate::handle::Handle;
use crate::store::StoreError;

/// Names that are looked at in one read of the store.
const NAMES_AT_ONCE: usize = 256;

/// See the module.
pub(super) struct Mirror {
    handle: Handle,
    root: PathBuf,
    format: FileFormat,
    files: u64,
    written: u64,
    removed: u64,
}

impl Mirror {
    pub(super) fn new(handle: Handle, root: PathBuf, format: FileFormat) -> Self {
        Self { handle, root, format, files: 0, written: 0, removed: 0 }
    }

    pub(super) fn tell(&self, status: &mut FolderStatus) {
        (status.files, status.written, status.removed) = (self.files, self.written, self.removed);
    }

    /// Makes the files of what is due as the resources are now.
    pub(super) fn bring(&mut self, due: &Due) -> Result<(), FolderError> {
        if due.everything {
            return self.bring_everything();
        }
        for name in &due.names {
            if let Some(path) = layout::path_of(name, self.format) {
                self.bring_one(name, &path)?;
            }
        }
        Ok(())
    }

    /// Also removes what belongs to no resource, such as what left the scope while the agent was down.
    fn bring_everything(&mut self) -> Result<(), FolderError> {
        let (mut wanted, mut after) = (BTreeSet::new(), String::new());
        loop {
            let names = match self.handle.names(&after, NAMES_AT_ONCE) {
                Ok(names) => names,
                Err(error) => return Err(self.unreadable(&error)),
            };
            let Some(last) = names.last() else { break };
            after.clone_from(last);
            for name in names {
                if let Some(path) = layout::path_of(&name, self.format)
                    && self.bring_one(&name, &path)?
                {
                    wanted.insert(path);
                }
            }
        }
        for path in files::list(&self.root)? {
            if layout::is_ours(&path) && !wanted.contains(&path) {
                self.drop_file(&path)?;
            }
        }
        self.files = wanted.len() as u64;
        Ok(())
    }

    /// Whether there is a file then.
    fn bring_one(&mut self, name: &str, path: &Path) -> Result<bool, FolderError> {
        match self.handle.held(name) {
            Ok(Some(resource)) => {
                let (text, there) = (render(&resource, self.format), files::read(&self.root, path)?);
                if there.as_deref() != Some(text.as_bytes()) {
                    files::put(&self.root, path, text.as_bytes())?;
                    metrics::counter!("muster_edge_folder_written_total").increment(1);
                    self.written += 1;
                    self.files += u64::from(there.is_none());
                }
                Ok(true)
            }
            Ok(None) => {
                self.drop_file(path)?;
                Ok(false)
            }
            // The cluster sends it again; what was told of it stays.
            Err(StoreError::DamagedItem(_)) => Ok(true),
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    fn drop_file(&mut self, path: &Path) -> Result<(), FolderError> {
        if files::remove(&self.root, path)? {
            metrics::counter!("muster_edge_folder_removed_total").increment(1);
            self.removed += 1;
            self.files = self.files.saturating_sub(1);
        }
        Ok(())
    }

    fn unreadable(&self, error: &StoreError) -> FolderError {
        FolderError::Files { path: self.root.clone(), cause: std::io::Error::other(error.to_string()) }
    }
}

fn render(resource: &v1::Resource, format: FileFormat) -> String {
    let value = muster_client::json::resource(resource);
    match format {
        FileFormat::Json => format!("{value:#}\n"),
        // A tree of texts, numbers and lists has a form in YAML; JSON is YAML too, should the writer ever disagree.
        FileFormat::Yaml => serde_saphyr::to_string(&value).unwrap_or_else(|_| format!("{value:#}\n")),
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::resource::Resource;
    use serde_json::{Value, json};

    use super::*;

    fn twin(desired: &Value) -> v1::Resource {
        let desired = v1::SectionDocument { json: desired.to_string(), version: 3, ..Default::default() };
        let name = "namespaces/plant1/devices/pump-7/twin".to_owned();
        let twin = v1::Twin { name, desired: Some(desired), ..Default::default() };
        v1::Resource { resource: Some(Resource::Twin(twin)) }
    }

    #[test]
    fn both_formats_say_the_same() {
        let odd = json!({
            "no": "no", "yes": true, "1.0": "1.0", "n": 1.5, "big": 9_007_199_254_740_993_u64, "e": "", "null": "null",
            "lines": "a\n  b\n", "colon": "a: b # c", "list": [{"a": []}, [], {}, "- x"], "bell": "\u{7}", "at": "@x", "t": "\tx ",
        });
        let resource = twin(&odd);
        let read: Value = serde_json::from_str(&render(&resource, FileFormat::Json)).expect("JSON");
        assert_eq!(read["properties"]["desired"]["$version"], 3);
        assert_eq!(read["deviceId"], "pump-7");
        let text = render(&resource, FileFormat::Yaml);
        let yaml: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert_eq!(yaml, read, "{text}");
        assert!(!text.trim_start().starts_with('{'), "{text}");
    }
}
