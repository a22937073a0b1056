//! `muster backup …`: from a running node to a file or folder, and what lies there.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use muster_backup::{Backup, BackupDirectory, DirectoryWriter, FileWriter, Manifest, hex};
use muster_client::proto;
use muster_client::proto::create_backup_response::Part;
use serde_json::{Map, Value};

use crate::args::{Format, Globals};
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::put;

/// Verbs of `muster backup`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Copy the state of a running node, as of one revision, into a file or into a folder of backups
    #[command(after_help = "Examples:\n  \
        muster backup create /backup/muster/           a folder: only what is new since the last one moves\n  \
        muster backup create muster-2026-11-26.mbk     a file")]
    Create {
        /// An existing folder, or a path that ends with /: a folder of backups. Anything else: a new file
        path: PathBuf,
    },
    /// List the backups of a folder
    List {
        /// The folder
        directory: PathBuf,
    },
    /// Read a whole backup and check every hash; `musterd verify --backup` looks inside besides
    Verify {
        /// A file, a folder of backups (its newest), or one manifest of such a folder
        path: PathBuf,
        /// Of a folder: the backup at this revision
        #[arg(long, value_name = "REVISION")]
        revision: Option<u64>,
    },
    /// Remove all backups of a folder but the newest, and the files that only they needed
    #[command(after_help = "Example:\n  muster backup prune /backup/muster --keep 14")]
    Prune {
        /// The folder
        directory: PathBuf,
        /// How many stay
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        keep: u32,
    },
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Create { path } => {
            let session = Session::open(globals)?;
            let manifest = create(&session, &path).await?;
            talk(format_args!(
                "a backup holds no sealing key: keep security.secrets_key_file apart, device keys cannot be read without it"
            ));
            Ok(output::one(session.format, &Value::Object(members(&manifest)))?)
        }
        Verb::List { directory } => list(globals.output, &directory),
        Verb::Verify { path, revision } => {
            let backup = Backup::open(&path, revision)?;
            let progress = bar(backup.bytes());
            backup.verify(|bytes| progress.inc(bytes))?;
            progress.finish_and_clear();
            talk(format_args!("every file is as its manifest says; `musterd verify --backup` checks what is in them"));
            Ok(output::one(globals.output, &Value::Object(members(backup.manifest())))?)
        }
        Verb::Prune { directory, keep } => {
            let (backups, files) = BackupDirectory::at(&directory).prune(keep as usize)?;
            talk(format_args!("{backups} backups and {files} files removed"));
            Ok(())
        }
    }
}

/// Where a backup goes.
enum Target {
    Folder(Box<DirectoryWriter>),
    File(FileWriter),
}

async fn create(session: &Session, path: &Path) -> anyhow::Result<Manifest> {
    let is_folder = path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::MAIN_SEPARATOR);
    let folder = is_folder.then(|| BackupDirectory::at(path));
    let known = match &folder {
        Some(folder) if path.is_dir() => folder.known()?,
        _ => Vec::new(),
    };
    let have_blake3 = known.iter().map(|hash| hash.to_vec().into()).collect();
    let request = proto::CreateBackupRequest { read: session.read, have_blake3 };
    let mut answers = session.client.maintenance().create_backup(request).await?;
    let Some(Part::Manifest(sealed)) = answers.next().await?.and_then(|answer| answer.part) else {
        bail!("the node sent no manifest");
    };
    let (manifest, _) = muster_backup::open(path, &sealed)?;
    let mut target = match folder {
        Some(folder) => Target::Folder(Box::new(folder.begin(&sealed)?)),
        None => Target::File(FileWriter::begin(path, &sealed)?),
    };
    let new = manifest.files.iter().filter(|file| !known.iter().any(|known| known[..] == file.blake3[..]));
    let progress = bar(new.map(|file| file.size_bytes).sum());
    while let Some(answer) = answers.next().await? {
        let Some(Part::Chunk(chunk)) = answer.part else { bail!("the node sent something else than a chunk") };
        progress.inc(chunk.data.len() as u64);
        match &mut target {
            Target::Folder(writer) => writer.chunk(chunk.file as usize, chunk.offset, &chunk.data)?,
            Target::File(writer) => writer.write(&chunk.data)?,
        }
    }
    progress.finish_and_clear();
    talk(format_args!("{} moved from {}", HumanBytes(progress.position()), answers.endpoint()));
    // Syncing and reading back takes its time; the runtime has nothing else to do here.
    Ok(match target {
        Target::Folder(writer) => writer.finish()?.1,
        Target::File(writer) => writer.finish()?,
    })
}

fn list(format: Format, directory: &Path) -> anyhow::Result<()> {
    let found = BackupDirectory::at(directory).list()?;
    let mut listing = Listing::new(format, &["REVISION", "CLUSTER", "MADE", "SIZE", "CHAIN HASH"]);
    let mut broken = 0;
    for backup in &found {
        match &backup.manifest {
            Ok(manifest) => listing.push(
                || Value::Object(members(manifest)),
                || {
                    vec![
                        manifest.revision.to_string(),
                        manifest.cluster_id.clone(),
                        made(manifest),
                        HumanBytes(size(manifest)).to_string(),
                        hex(&manifest.chain_hash)[..12].to_owned(),
                    ]
                },
            )?,
            Err(error) => {
                broken += 1;
                talk(format_args!("{error}"));
            }
        }
    }
    listing.finish()?;
    if broken > 0 {
        bail!("{broken} of {} backups cannot be read", found.len());
    }
    Ok(())
}

fn members(manifest: &Manifest) -> Map<String, Value> {
    let mut object = Map::new();
    put(&mut object, "clusterId", manifest.cluster_id.as_str());
    put(&mut object, "revision", manifest.revision);
    put(&mut object, "chainHash", hex(&manifest.chain_hash));
    put(&mut object, "made", made(manifest));
    put(&mut object, "nodeId", manifest.node_id);
    put(&mut object, "version", manifest.version.as_str());
    put(&mut object, "featureLevel", manifest.feature_level);
    put(&mut object, "files", manifest.files.len());
    put(&mut object, "bytes", size(manifest));
    object
}

fn size(manifest: &Manifest) -> u64 {
    manifest.files.iter().map(|file| file.size_bytes).sum()
}

fn made(manifest: &Manifest) -> String {
    let seconds = i64::try_from(manifest.created_ms / 1_000).unwrap_or(i64::MAX);
    prost_types::Timestamp { seconds, nanos: 0 }.to_string()
}

fn bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bytes}/{total_bytes} {wide_bar} {bytes_per_sec}");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// `muster cluster verify`: do all members hold the same?
pub(crate) async fn compare(session: &Session) -> anyhow::Result<()> {
    use proto::verify_cluster_response::Part;
    let mut answers = session.client.maintenance().verify_cluster().await?;
    let mut listing =
        Listing::new(session.format, &["NODE", "REVISION", "RECORDS", "CHAIN HASH", "STATE HASH", "ERROR"]);
    let mut verdict = None;
    while let Some(answer) = answers.next().await? {
        match answer.part {
            Some(Part::Member(member)) => {
                let short = |hash: &str| hash.get(..12).unwrap_or_default().to_owned();
                listing.push(
                    || digest(&member),
                    || {
                        vec![
                            member.node_id.to_string(),
                            member.revision.to_string(),
                            member.records.to_string(),
                            short(&member.chain_hash),
                            short(&member.state_hash),
                            member.error.clone(),
                        ]
                    },
                )?;
            }
            Some(Part::Verdict(found)) => verdict = Some(found),
            None => {}
        }
    }
    listing.finish()?;
    let verdict = verdict.context("the node gave no verdict")?;
    if !verdict.agree {
        bail!("the members do not agree at revision {}: {}", verdict.revision, verdict.first_difference);
    }
    talk(format_args!("all members hold the same at revision {}", verdict.revision));
    Ok(())
}

fn digest(member: &proto::MemberDigest) -> Value {
    let mut object = Map::new();
    put(&mut object, "nodeId", member.node_id);
    put(&mut object, "revision", member.revision);
    put(&mut object, "records", member.records);
    put(&mut object, "chainHash", member.chain_hash.as_str());
    put(&mut object, "stateHash", member.state_hash.as_str());
    put(&mut object, "error", member.error.as_str());
    Value::Object(object)
}
