//! Flags that many commands share, and how their values are read.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use muster_client::proto::ReadOptions;
use muster_client::proto::read_options::Consistency;

const CONNECTION: &str = "Connection";
const GLOBAL: &str = "Global options";

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people, on a terminal and in a pipe alike
    Table,
    /// One JSON object a line, for programs
    Json,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Globals {
    /// Context to use instead of the file's current one
    #[arg(long, global = true, value_name = "NAME", env = "MUSTER_CONTEXT", hide_env_values = true, help_heading = CONNECTION)]
    pub(crate) context: Option<String>,
    /// Context file [default: MUSTER_CONTEXT_FILE, .muster/contexts.toml here or above up to the git root,
    /// $XDG_CONFIG_HOME/muster/contexts.toml, ~/.config/muster/contexts.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION)]
    pub(crate) context_file: Option<PathBuf>,
    /// Node to talk to, HOST:PORT or URL, instead of the context's; repeat for several
    #[arg(long, global = true, value_name = "ENDPOINT", help_heading = CONNECTION)]
    pub(crate) endpoint: Vec<String>,
    /// Certificate of the authority that signed the servers' certificates (PEM)
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Client certificate (PEM)
    #[arg(long, global = true, value_name = "FILE", requires = "key_file", help_heading = CONNECTION)]
    pub(crate) cert_file: Option<PathBuf>,
    /// Key of the client certificate (PEM)
    #[arg(long, global = true, value_name = "FILE", requires = "cert_file", help_heading = CONNECTION)]
    pub(crate) key_file: Option<PathBuf>,
    /// File with an API token
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION)]
    pub(crate) token_file: Option<PathBuf>,
    /// Talk to --endpoint without encryption; loopback only
    #[arg(long, global = true, requires = "endpoint", help_heading = CONNECTION)]
    pub(crate) insecure: bool,
    /// Namespace [default: the context's, else `default`]
    #[arg(long, short = 'n', global = true, value_name = "NAMESPACE", help_heading = GLOBAL)]
    pub(crate) namespace: Option<String>,
    /// How answers are printed
    #[arg(long, global = true, value_enum, default_value = "table", value_name = "FORMAT", help_heading = GLOBAL)]
    pub(crate) output: Format,
    /// Bound of each call, retries included, such as 500ms, 30s, 2m
    #[arg(long, global = true, default_value = "30s", value_parser = duration, value_name = "TIME", help_heading = GLOBAL)]
    pub(crate) timeout: Duration,
    /// How fresh reads must be: linearizable, local, min-revision=N
    #[arg(long, global = true, default_value = "linearizable", value_parser = consistency, value_name = "CHOICE", help_heading = GLOBAL)]
    pub(crate) consistency: ReadOptions,
}

/// Flags of commands that change something.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WriteFlags {
    /// Name of this change: repeating a command with the same one has no second effect [default: made up]
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) request_id: String,
    /// Check everything and change nothing
    #[arg(long)]
    pub(crate) validate_only: bool,
}

/// A condition on the current state.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct EtagFlag {
    /// Only if this is the current etag
    #[arg(long, value_name = "ETAG", default_value = "", hide_default_value = true)]
    pub(crate) etag: String,
}

/// Bounds of a list.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ListFlags {
    /// At most so many [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

impl ListFlags {
    /// The most items to print.
    pub(crate) fn bound(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// The page size that asks for no more than is printed.
    pub(crate) fn page_size(&self) -> i32 {
        i32::try_from(self.bound().clamp(1, 1000)).unwrap_or(1000)
    }
}

/// Reads `500ms`, `30s`, `2m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "write a number and a unit, such as 500ms, 30s or 2m".to_owned())?;
    let time = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        _ => return Err("the unit must be ms, s, m or h".to_owned()),
    };
    match time.is_zero() || time > Duration::from_secs(7 * 24 * 3600) {
        true => Err("must be more than nothing and at most a week".to_owned()),
        false => Ok(time),
    }
}

fn consistency(text: &str) -> Result<ReadOptions, String> {
    let (consistency, min_revision) = match text.split_once('=') {
        None if text == "linearizable" => (Consistency::Linearizable, 0),
        None if text == "local" => (Consistency::Local, 0),
        Some(("min-revision", revision)) => {
            (Consistency::MinRevision, revision.parse().map_err(|_| "the revision must be a whole number".to_owned())?)
        }
        _ => return Err("must be linearizable, local or min-revision=N".to_owned()),
    };
    Ok(ReadOptions { consistency: consistency.into(), min_revision })
}

/// Reads `KEY=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["30", "s", "-1s", "0s", "3d", "99999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn consistency_has_three_forms() {
        assert_eq!(consistency("min-revision=7").map(|read| read.min_revision), Ok(7));
        assert_eq!(consistency("local").map(|read| read.consistency()), Ok(Consistency::Local));
        for wrong in ["", "strong", "min-revision", "min-revision=x", "local=1"] {
            assert!(consistency(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_bounds_the_page() {
        assert_eq!(ListFlags { limit: Some(3) }.page_size(), 3);
        assert_eq!(ListFlags::default().page_size(), 1000);
    }
}
