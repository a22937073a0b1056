//! `muster retention …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::HumanBytes;
use muster_client::{names, proto};
use serde_json::{Map, Value};

use crate::args::{EtagFlag, Format, Globals, WriteFlags};
use crate::exit::UsageError;
use crate::output::{self, Listing};
use crate::session::Session;
use crate::shapes::{put, time};

/// Verbs of `muster retention`; of the cluster, or with --namespace of a namespace.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what is kept, and the oldest revision that can be read
    Get,
    /// Set what is kept; events go when any of the bounds says so
    #[command(after_help = "Examples:\n  \
        muster retention set --max-age 30d --max-bytes 10GiB\n  \
        muster retention set --namespace plant1 --keep-all")]
    Set {
        #[command(flatten)]
        bounds: Bounds,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Take the policy away: a namespace follows the cluster, the cluster keeps everything
    Clear {
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Close the past below a revision, now and for ever; states are not affected
    #[command(after_help = "Example:\n  muster retention compact 120000")]
    Compact {
        /// The oldest revision to keep
        revision: u64,
        #[command(flatten)]
        write: WriteFlags,
    },
}

/// What is kept.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Bounds {
    /// Events that are younger, such as 12h or 30d
    #[arg(long, value_name = "TIME", value_parser = age)]
    max_age: Option<Duration>,
    /// The newest events of so many stored bytes, such as 500MiB or 10GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_bytes: Option<u64>,
    /// So many of the cluster's newest revisions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_revisions: Option<u64>,
    /// Everything
    #[arg(long, conflicts_with_all = ["max_age", "max_bytes", "max_revisions"])]
    keep_all: bool,
}

impl Bounds {
    fn policy(&self) -> Result<proto::RetentionPolicy, UsageError> {
        let age = |age: Duration| {
            prost_types::Duration::try_from(age).map_err(|_| UsageError("--max-age is too long".to_owned()))
        };
        Ok(proto::RetentionPolicy {
            max_age: self.max_age.map(age).transpose()?,
            max_bytes: self.max_bytes.unwrap_or_default(),
            max_revisions: self.max_revisions.unwrap_or_default(),
        })
    }
}

/// Reads a number and its unit.
fn with_unit(text: &str, units: &[(&str, u64)], example: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let value = number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    value.filter(|value| *value > 0).ok_or_else(|| format!("write a number above 0 and a unit, such as {example}"))
}

fn age(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    with_unit(text, &UNITS, "90s, 12h or 30d").map(Duration::from_secs)
}

fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    with_unit(text, &UNITS, "500MiB or 10GiB")
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    // The context's namespace is for resources; whose retention is meant has to be said.
    let parent = globals.namespace.as_deref().map(names::namespace).unwrap_or_default();
    let calls = session.client.retention();
    let answer = match verb {
        Verb::Get => calls.get(proto::GetRetentionRequest { parent, read: session.read }).await?,
        Verb::Set { bounds, etag, write } => {
            let policy = Some(bounds.policy()?);
            let WriteFlags { request_id, validate_only } = write;
            let request = proto::UpdateRetentionRequest { parent, policy, etag: etag.etag, request_id, validate_only };
            calls.update(request).await?
        }
        Verb::Clear { etag, write } => {
            let WriteFlags { request_id, validate_only } = write;
            let request =
                proto::UpdateRetentionRequest { parent, policy: None, etag: etag.etag, request_id, validate_only };
            calls.update(request).await?
        }
        Verb::Compact { revision, write } => {
            let WriteFlags { request_id, validate_only } = write;
            calls.compact(proto::CompactEventsRequest { parent, floor: revision, request_id, validate_only }).await?
        }
    };
    print(&session, &answer.retention.unwrap_or_default())
}

fn print(session: &Session, retention: &proto::Retention) -> anyhow::Result<()> {
    if session.format == Format::Json {
        return Ok(output::line(&Value::Object(members(retention)).to_string())?);
    }
    let unset = || "-".to_owned();
    let policy = retention.policy.unwrap_or_default();
    let bound = |value: u64, shown: String| if value == 0 { unset() } else { shown };
    let mut listing =
        Listing::new(session.format, &["NAME", "POLICY", "MAX AGE", "MAX BYTES", "MAX REVISIONS", "OLDEST REVISION"]);
    let row = vec![
        retention.name.clone(),
        if retention.policy.is_some() { "set" } else { "none" }.to_owned(),
        policy.max_age.map_or_else(unset, |age| age.to_string()),
        bound(policy.max_bytes, HumanBytes(policy.max_bytes).to_string()),
        bound(policy.max_revisions, policy.max_revisions.to_string()),
        retention.floor.to_string(),
    ];
    listing.push(|| Value::Null, || row)?;
    Ok(listing.finish()?)
}

fn members(retention: &proto::Retention) -> Map<String, Value> {
    let mut object = Map::new();
    put(&mut object, "name", retention.name.as_str());
    if let Some(policy) = &retention.policy {
        let mut bounds = Map::new();
        if let Some(age) = &policy.max_age {
            put(&mut bounds, "maxAge", age.to_string().as_str());
        }
        for (name, bound) in [("maxBytes", policy.max_bytes), ("maxRevisions", policy.max_revisions)] {
            if bound != 0 {
                put(&mut bounds, name, bound);
            }
        }
        object.insert("policy".to_owned(), Value::Object(bounds));
    }
    put(&mut object, "floor", retention.floor);
    put(&mut object, "etag", retention.etag.as_str());
    put(&mut object, "updateTime", time(retention.update_time.as_ref()));
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_units() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(2_592_000)));
        assert_eq!(size("10GiB"), Ok(10 << 30));
        for wrong in ["", "10", "0d", "d", "-1d", "10GB", "99999999999999999999B", "99999999TiB"] {
            assert!(age(wrong).is_err() && size(wrong).is_err(), "{wrong}");
        }
    }
}
