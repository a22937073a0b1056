//! `muster twin …`. Documents go to the server as they were typed: numbers and member names are not rewritten.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use muster_client::proto;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::args::{EtagFlag, Globals, ListFlags, WriteFlags};
use crate::exit::UsageError;
use crate::output;
use crate::session::Session;
use crate::shapes::document;
use crate::shapes::twin::{section, to_json, with_metadata};
use crate::twin_history;

/// Largest document read from a file or stdin, bytes.
const DOCUMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Verbs of `muster twin`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show a twin in IoT Hub's shape, whole or one section
    Get {
        #[command(flatten)]
        whose: Whose,
        /// Only this section
        #[arg(long, value_enum)]
        section: Option<Section>,
        /// Leave out $metadata
        #[arg(long)]
        no_metadata: bool,
    },
    /// Tell who changed what, and when, member by member
    History {
        #[command(flatten)]
        whose: Whose,
        /// First revision [default: the oldest kept]
        #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
        from: u64,
        /// Last revision [default: the newest]
        #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
        to: u64,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Merge a patch into tags and desired: objects merge, null removes, everything else replaces
    #[command(after_help = "Examples:\n  \
        muster twin patch pump7 '{\"tags\":{\"site\":\"ams\"},\"properties\":{\"desired\":{\"speed\":3}}}'\n  \
        muster twin patch pump7 --desired '{\"speed\":null}' --etag 42\n  \
        muster twin patch pump7 --file patch.json")]
    Patch(Change),
    /// Replace tags, desired or both
    Replace(Change),
    /// The device's side: merge a patch into reported
    #[command(after_help = "Example:\n  muster twin report pump7 '{\"temperature\":21.5}'")]
    Report {
        #[command(flatten)]
        whose: Whose,
        /// The patch, a JSON object; `-` reads stdin
        patch: String,
        /// Only if the reported section has this version
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        expected_version: u64,
        #[command(flatten)]
        write: WriteFlags,
    },
}

/// Whose twin.
#[derive(Debug, Clone, Args)]
pub(crate) struct Whose {
    /// The device
    device: String,
    /// A module of it
    #[arg(long)]
    module: Option<String>,
}

/// Sections of a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    Tags,
    Desired,
    Reported,
}

impl From<Section> for proto::TwinSection {
    fn from(section: Section) -> Self {
        match section {
            Section::Tags => Self::Tags,
            Section::Desired => Self::Desired,
            Section::Reported => Self::Reported,
        }
    }
}

/// Arguments of `patch` and `replace`.
#[derive(Debug, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    whose: Whose,
    /// The sections as in IoT Hub: {"tags":{…},"properties":{"desired":{…}}}; `-` reads stdin
    document: Option<String>,
    /// The same from a file; `-` reads stdin
    #[arg(long, value_name = "FILE", conflicts_with = "document")]
    file: Option<std::path::PathBuf>,
    /// Tags alone, a JSON object
    #[arg(long, value_name = "JSON", conflicts_with_all = ["document", "file"])]
    tags: Option<String>,
    /// Desired alone, a JSON object
    #[arg(long, value_name = "JSON", conflicts_with_all = ["document", "file"])]
    desired: Option<String>,
    #[command(flatten)]
    etag: EtagFlag,
    #[command(flatten)]
    write: WriteFlags,
}

/// The sections a change is about, as JSON text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sections {
    tags: Option<String>,
    desired: Option<String>,
}

impl Change {
    fn sections(&self) -> anyhow::Result<Sections> {
        let text = match (&self.document, &self.file) {
            (Some(text), _) if text == "-" => Some(read_text(Path::new("-"))?),
            (Some(text), _) => Some(text.clone()),
            (None, Some(path)) => Some(read_text(path)?),
            (None, None) => None,
        };
        let sections = match text {
            Some(text) => split(&text)?,
            None => Sections { tags: self.tags.clone(), desired: self.desired.clone() },
        };
        if sections == Sections::default() {
            return Err(UsageError("nothing to change: give a document, --file, --tags or --desired".to_owned()).into());
        }
        Ok(sections)
    }
}

/// Takes a document in IoT Hub's shape apart without touching the sections' text.
fn split(text: &str) -> Result<Sections, UsageError> {
    let object = |text: &str, what: &str| -> Result<BTreeMap<String, Box<RawValue>>, UsageError> {
        serde_json::from_str(text).map_err(|error| UsageError(format!("{what} must be a JSON object: {error}")))
    };
    let mut sections = Sections::default();
    for (name, value) in object(text, "the document")? {
        match name.as_str() {
            "tags" => sections.tags = Some(value.get().to_owned()),
            "desired" => sections.desired = Some(value.get().to_owned()),
            "properties" => {
                for (name, value) in object(value.get(), "properties")? {
                    match name.as_str() {
                        "desired" => sections.desired = Some(value.get().to_owned()),
                        _ => {
                            return Err(UsageError(format!(
                                "properties.{name} cannot be changed here; only properties.desired can"
                            )));
                        }
                    }
                }
            }
            _ => return Err(UsageError(format!("`{name}` is not a section: write tags or properties.desired"))),
        }
    }
    Ok(sections)
}

/// Reads a bounded text from a file, or from stdin for `-`.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    let read = |source: &mut dyn Read| -> std::io::Result<String> {
        let mut text = String::new();
        source.take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = if path == Path::new("-") {
        read(&mut std::io::stdin().lock()).context("cannot read stdin")?
    } else {
        std::fs::File::open(path)
            .and_then(|mut file| read(&mut file))
            .with_context(|| format!("cannot read {}", path.display()))?
    };
    anyhow::ensure!(text.len() as u64 <= DOCUMENT_BYTES_MAX, "{} is larger than 4 MiB", path.display());
    Ok(text)
}

/// Reads a JSON file.
pub(crate) fn json_of_file(path: &Path) -> anyhow::Result<Value> {
    let text = read_text(path)?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let twins = session.client.twins();
    let name = |whose: &Whose| session.twin(&whose.device, whose.module.as_deref());
    let answer = match verb {
        Verb::Get { whose, section: wanted, no_metadata } => {
            let wanted = wanted.map_or(proto::TwinSection::Unspecified, Into::into);
            let request = proto::GetTwinRequest {
                name: name(&whose),
                section: wanted.into(),
                omit_metadata: no_metadata,
                read: session.read,
            };
            let twin = twins.get(request).await?.twin.unwrap_or_default();
            let json = match section(&twin, wanted) {
                // Tags have neither version nor metadata in IoT Hub's shape.
                Some(tags) if wanted == proto::TwinSection::Tags => document(&tags.json),
                Some(section) => with_metadata(section),
                None => to_json(&twin),
            };
            return Ok(output::document(session.format, &json)?);
        }
        Verb::History { whose, from, to, list } => {
            return twin_history::run(&session, name(&whose), from, to, &list).await;
        }
        Verb::Patch(change) => {
            let sections = change.sections()?;
            let request = proto::PatchTwinRequest {
                name: name(&change.whose),
                tags_json: sections.tags,
                desired_json: sections.desired,
                etag: change.etag.etag,
                request_id: change.write.request_id,
                validate_only: change.write.validate_only,
            };
            twins.patch(request).await?
        }
        Verb::Replace(change) => {
            let sections = change.sections()?;
            let request = proto::ReplaceTwinRequest {
                name: name(&change.whose),
                tags_json: sections.tags,
                desired_json: sections.desired,
                etag: change.etag.etag,
                request_id: change.write.request_id,
                validate_only: change.write.validate_only,
            };
            twins.replace(request).await?
        }
        Verb::Report { whose, patch, expected_version, write } => {
            let patch = if patch == "-" { read_text(Path::new("-"))? } else { patch };
            let request = proto::ReportPropertiesRequest {
                name: name(&whose),
                reported_json: patch,
                expected_version,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            twins.report(request).await?
        }
    };
    let json = json!({
        "revision": answer.header.map(|header| header.revision),
        "etag": answer.etag,
        "version": answer.version,
        "tagsVersion": answer.tags_version,
        "desiredVersion": answer.desired_version,
        "reportedVersion": answer.reported_version,
    });
    Ok(output::one(session.format, &json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keep_their_text() {
        let sections =
            split(r#"{"tags": {"b": 1.0,"a":9007199254740993}, "properties": {"desired": null}}"#).expect("is valid");
        assert_eq!(sections.tags.as_deref(), Some(r#"{"b": 1.0,"a":9007199254740993}"#));
        assert_eq!(sections.desired.as_deref(), Some("null"));
        assert_eq!(split(r#"{"desired":{}}"#).expect("is valid").desired.as_deref(), Some("{}"));
    }

    #[test]
    fn what_is_no_section_is_refused() {
        for wrong in ["[]", "{", r#"{"site":"ams"}"#, r#"{"properties":{"reported":{}}}"#] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
