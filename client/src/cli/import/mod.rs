//! `muster import`: IoT Hub's export files and Device Registry's manifests.
//!
//! The way of an IoT Hub file: `lines` → `entry` → `batches` → server, with `resume` and `refusals` keeping the books.
//! The way of a manifest: `manifests` → `apply`. Devices of all files go before assets of all files.

mod apply;
mod batches;
mod diff;
mod dry_run;
mod entry;
mod lines;
pub(crate) mod manifests;
mod refusals;
mod resume;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use muster_client::{Code, names, proto};

use apply::Apply;
use batches::{Batches, Outcome};
use dry_run::Forecast;
use manifests::{MANIFEST_BYTES_MAX, Manifest, Resource};
use refusals::{ErrorFile, Refusal};
use resume::Resume;

use crate::args::Globals;
use crate::exit::{PartlyRefused, UsageError};
use crate::output::talk;
use crate::session::Session;

/// Arguments of `muster import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Files ending in .yaml or .yml hold Device Registry resources (Device, Asset, and the classic\n\
    AssetEndpointProfile), others IoT Hub's export format: one JSON object a line, importMode respected.\n\
    What exists is updated. Keys that are null are made by the server.\n\n\
    Examples:\n  muster import fleet.ndjson -n plant1 --create-namespace\n  muster import devices.yaml assets.yaml --dry-run"
)]
pub(crate) struct Arguments {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Make namespaces that do not exist
    #[arg(long)]
    create_namespace: bool,
    /// Show what would change and which entries would be refused; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Where to keep what is done, for going on after an interruption [default: FILE.muster-import]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where to write refused entries, one JSON object a line [default: FILE.errors.ndjson]
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
}

/// Counts over all files.
#[derive(Debug, Default)]
struct Totals {
    accepted: u64,
    refused: u64,
    interrupted: bool,
    error_files: BTreeSet<PathBuf>,
    forecast: Forecast,
}

impl Totals {
    fn note_errors(&mut self, errors: &ErrorFile) {
        if errors.count() > 0 {
            self.error_files.insert(errors.path().to_owned());
        }
    }
}

struct Import<'a> {
    session: Session,
    /// What `--namespace` says; it goes before a manifest's own.
    namespace: Option<String>,
    arguments: &'a Arguments,
    /// Namespaces a dry run found missing.
    missing: HashSet<String>,
    totals: Totals,
}

/// Runs the command.
pub(crate) async fn run(globals: &Globals, arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.files.len() > 1 && (arguments.state.is_some() || arguments.errors.is_some()) {
        return Err(UsageError("--state and --errors are for one file at a time".to_owned()).into());
    }
    let (manifest_files, line_files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        arguments.files.iter().partition(|path| is_manifest(path));
    let mut import = Import {
        session: Session::open(globals)?,
        namespace: globals.namespace.clone(),
        arguments: &arguments,
        missing: HashSet::new(),
        totals: Totals::default(),
    };
    // Manifests are read first, so that a file that cannot be read stops the import before it has begun.
    let mut found = Vec::new();
    for path in manifest_files {
        found.push((path.as_path(), manifests::parse(&read_manifest(path)?)));
    }
    for path in line_files {
        if import.totals.interrupted {
            break;
        }
        import.lines(path).await?;
    }
    if !import.totals.interrupted {
        import.manifests(found).await?;
    }
    import.finish()
}

fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml"))
}

fn read_manifest(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MANIFEST_BYTES_MAX + 1).read_to_string(&mut text));
    let bytes = read.with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(bytes as u64 <= MANIFEST_BYTES_MAX, "{} is larger than 64 MiB", path.display());
    Ok(text)
}

impl Import<'_> {
    /// Imports a file of lines.
    async fn lines(&mut self, path: &Path) -> anyhow::Result<()> {
        let context = || format!("cannot read {}", path.display());
        let (content, lines) = survey(path).with_context(context)?;
        let namespace = self.session.namespace.clone();
        let parent = names::namespace(&namespace);
        self.ensure_namespace(&namespace).await?;
        let mut batches = Batches::new(BufReader::with_capacity(64 * 1024, File::open(path).with_context(context)?));
        let bar = progress_bar(lines, path);
        if self.arguments.dry_run {
            let mut errors = ErrorFile::new(self.arguments.errors.as_deref(), path, false);
            let exists = !self.missing.contains(&namespace);
            let forecast = &mut self.totals.forecast;
            dry_run::run(&self.session, &parent, &mut batches, &mut errors, &bar, exists, forecast).await?;
            self.totals.refused += errors.count();
            self.totals.note_errors(&errors);
        } else {
            let mut resume = Resume::open(self.arguments.state.as_deref(), path, &content, &namespace)?;
            let mut errors = ErrorFile::new(self.arguments.errors.as_deref(), path, resume.is_resumed());
            if resume.is_resumed() {
                let done = resume.lines_done();
                talk(format_args!("{}: going on after {done} of {lines} lines", path.display()));
                bar.set_position(done);
            }
            let stop = async {
                // Without the handler Ctrl-C ends the process, which is what is left.
                if tokio::signal::ctrl_c().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let sent =
                batches::send(&self.session.client, &parent, &mut batches, &mut resume, &mut errors, &bar, stop).await;
            bar.finish_and_clear();
            self.totals.note_errors(&errors);
            let Outcome { interrupted, .. } = match sent {
                Ok(outcome) => outcome,
                Err(error) if resume.is_kept() => {
                    return Err(error
                        .context(format!("{} is not through; run the same command again to go on", path.display())));
                }
                Err(error) => return Err(error),
            };
            let (accepted, refused) = resume.counts();
            self.totals.accepted += accepted;
            self.totals.refused += refused;
            self.totals.interrupted = interrupted;
            if !interrupted {
                resume.remove()?;
            }
        }
        bar.finish_and_clear();
        if !batches.unread.is_empty() {
            let members: Vec<String> = batches.unread.iter().take(20).cloned().collect();
            talk(format_args!(
                "note: {}: members that are not known were left out: {}",
                path.display(),
                members.join(", ")
            ));
        }
        Ok(())
    }

    /// Applies manifests of all files, devices first.
    async fn manifests(&mut self, files: Vec<(&Path, Vec<Result<Manifest, Refusal>>)>) -> anyhow::Result<()> {
        let mut refusals: BTreeMap<&Path, Vec<Refusal>> = BTreeMap::new();
        let mut devices = Vec::new();
        let mut assets = Vec::new();
        for (path, found) in files {
            for manifest in found {
                match manifest {
                    Ok(manifest) => match manifest.resource {
                        Resource::Device(_) => devices.push((path, manifest)),
                        Resource::Asset(_) => assets.push((path, manifest)),
                    },
                    Err(refusal) => refusals.entry(path).or_default().push(refusal),
                }
            }
        }
        let ordered: Vec<(&Path, Manifest)> = devices.into_iter().chain(assets).collect();
        let namespace = |manifest: &Manifest| {
            let own = self.namespace.clone().or_else(|| manifest.namespace.clone());
            own.unwrap_or_else(|| self.session.namespace.clone())
        };
        let namespaces: Vec<String> = ordered.iter().map(|(_, manifest)| namespace(manifest)).collect();
        for namespace in namespaces.iter().collect::<BTreeSet<_>>() {
            self.ensure_namespace(namespace).await?;
        }
        let mut apply = Apply {
            session: &self.session,
            dry_run: self.arguments.dry_run,
            missing: &self.missing,
            made: HashSet::new(),
        };
        for ((path, manifest), namespace) in ordered.into_iter().zip(&namespaces) {
            match apply.one(namespace, manifest, &mut self.totals.forecast).await? {
                Ok(()) => self.totals.accepted += 1,
                Err(refusal) => refusals.entry(path).or_default().push(refusal),
            }
        }
        for (path, mut refusals) in refusals {
            refusals.sort_by_key(|refusal| refusal.line);
            for refusal in &refusals {
                let place = format!("{}:{}", path.display(), refusal.line);
                talk(format_args!("refused: {place}: {} {} [{}]", refusal.id, refusal.message, refusal.reason));
            }
            let mut errors = ErrorFile::new(self.arguments.errors.as_deref(), path, false);
            errors.add(&refusals)?;
            self.totals.refused += errors.count();
            self.totals.note_errors(&errors);
        }
        Ok(())
    }

    /// Finds the namespace, or makes it when told to.
    async fn ensure_namespace(&mut self, id: &str) -> anyhow::Result<()> {
        if self.missing.contains(id) {
            return Ok(());
        }
        let namespaces = self.session.client.namespaces();
        let request = proto::GetNamespaceRequest { name: names::namespace(id), read: self.session.read };
        match namespaces.get(request).await {
            Ok(_) => Ok(()),
            // Whoever may import need not be allowed to look at the namespace itself.
            Err(error) if error.code() == Code::PermissionDenied => Ok(()),
            Err(error) if error.code() == Code::NotFound && self.arguments.create_namespace => {
                if self.arguments.dry_run {
                    talk(format_args!(
                        "namespace {id} would be created; its entries are new and cannot be checked further"
                    ));
                    self.missing.insert(id.to_owned());
                    return Ok(());
                }
                let request = proto::CreateNamespaceRequest {
                    namespace_id: id.to_owned(),
                    namespace: Some(proto::Namespace::default()),
                    ..Default::default()
                };
                match namespaces.create(request).await {
                    Ok(_) => talk(format_args!("namespace {id} created")),
                    // Somebody else was faster.
                    Err(error) if error.code() == Code::AlreadyExists => {}
                    Err(error) => return Err(error.into()),
                }
                Ok(())
            }
            Err(error) if error.code() == Code::NotFound => Err(anyhow::Error::new(error)
                .context(format!("namespace {id} does not exist; --create-namespace makes it"))),
            Err(error) => Err(error.into()),
        }
    }

    /// Says how it went.
    fn finish(self) -> anyhow::Result<ExitCode> {
        let Totals { accepted, refused, interrupted, error_files, forecast } = self.totals;
        let Forecast { created, updated, deleted, unchanged } = forecast;
        if self.arguments.dry_run {
            talk(format_args!(
                "dry run: {created} to create, {updated} to update, {deleted} to delete, {unchanged} unchanged, {refused} refused"
            ));
        } else {
            talk(format_args!("{accepted} accepted, {refused} refused"));
        }
        for path in error_files {
            talk(format_args!("refused entries: {}", path.display()));
        }
        if interrupted {
            anyhow::bail!("interrupted; run the same command again to go on");
        }
        if refused > 0 {
            let total =
                if self.arguments.dry_run { created + updated + deleted + unchanged } else { accepted } + refused;
            return Err(PartlyRefused { refused, total }.into());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The content's hash and the number of lines, in one pass.
fn survey(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    let (mut lines, mut last) = (0, b'\n');
    loop {
        let read = file.read(&mut buffer)?;
        let Some(end) = buffer[..read].last() else { break };
        last = *end;
        lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        hasher.update(&buffer[..read]);
    }
    Ok((hasher.finalize().to_hex().to_string(), lines + u64::from(last != b'\n')))
}

/// A bar on stderr; it hides itself where stderr is no terminal.
fn progress_bar(lines: u64, path: &Path) -> ProgressBar {
    let bar = ProgressBar::new(lines);
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} lines, {per_sec}, {eta} left")
    {
        bar.set_style(style);
    }
    bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_with_and_without_a_last_line_feed() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("f");
        for (text, lines) in [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2)] {
            std::fs::write(&path, text).expect("temp dir is writable");
            assert_eq!(survey(&path).expect("is readable").1, lines, "{text:?}");
        }
    }

    #[test]
    fn manifests_are_told_by_their_ending() {
        assert!(is_manifest(Path::new("a/b.YAML")) && is_manifest(Path::new("b.yml")));
        assert!(!is_manifest(Path::new("fleet.ndjson")) && !is_manifest(Path::new("devices.txt")));
    }
}
