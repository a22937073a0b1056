//! `muster query`: ask, follow, explain, compare. What is saved under a name has a file of its own.

use std::io::Write as _;

use clap::{Args, Subcommand};
use muster_client::proto;
use muster_client::proto::watch_query_response::Kind;
use serde_json::{Value, json};

use crate::args::{Format, Globals};
use crate::output::{self, printable, talk};
use crate::query_shell;
use crate::saved_query::{self, Asked, Wording};
use crate::session::Session;

/// Rows of one page; and of one table, whose columns are as wide as these rows need.
const PAGE: i32 = 1_000;

/// Flags of `muster query`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  \
    muster query \"SELECT deviceId, properties.reported.battery FROM devices WHERE tags.building = 'b7' ORDER BY deviceId\"\n  \
    muster query \"SELECT tags.region, COUNT() AS n FROM devices GROUP BY tags.region\" --watch\n  \
    muster query \"SELECT * FROM devices AS OF REVISION 1200 WHERE deviceId = 'pump7'\" --output json\n  \
    muster query explain --analyze \"SELECT COUNT() FROM devices WHERE desired.fw != reported.fw\"")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    ask: Ask,
}

/// A question.
#[derive(Debug, Args)]
struct Ask {
    #[command(flatten)]
    asked: Asked,
    /// At most so many rows [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Comma-separated values with a header, instead of --output
    #[arg(long, conflicts_with = "watch")]
    csv: bool,
    /// Keep the answer up to date: rows as they enter, change and leave; for groups and aggregates the whole answer
    #[arg(long, short)]
    watch: bool,
    /// With --watch: go on after this revision
    #[arg(long, requires = "watch", value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
    resume: u64,
    /// With --watch: end after so many messages
    #[arg(long, requires = "watch", value_name = "N")]
    count: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tell how a query is carried out
    Explain {
        #[command(flatten)]
        asked: Asked,
        /// Carry it out, and tell what it cost
        #[arg(long)]
        analyze: bool,
    },
    /// Tell what makes the answer at one revision another than at a second one: of rows, without groups, order or AS OF
    #[command(after_help = "Example:\n  muster query diff --from 1200 \"SELECT tags.site, desired.fw FROM devices\"")]
    Diff {
        #[command(flatten)]
        asked: Asked,
        /// First revision
        #[arg(long, value_name = "REVISION")]
        from: u64,
        /// Second revision [default: now]
        #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
        to: u64,
        /// At most so many differences
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: i32,
    },
    /// List the paths that hold values
    Paths {
        /// devices, devices.modules or assets
        #[arg(default_value = "devices")]
        collection: String,
        /// Only paths that begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: i32,
    },
    /// Save a query under a name
    Save(saved_query::Save),
    /// Saved queries: texts of questions under a name
    #[command(subcommand, arg_required_else_help = true)]
    Saved(saved_query::Verb),
    /// Ask one query after the other, with history and completion
    Shell,
}

/// Runs the command.
pub(crate) async fn run(globals: &Globals, arguments: Arguments) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    match arguments.verb {
        Some(Verb::Explain { asked, analyze }) => explain(&session, asked.wording(&session)?, analyze).await,
        Some(Verb::Diff { asked, from, to, limit }) => diff(&session, asked.wording(&session)?, from, to, limit).await,
        Some(Verb::Save(save)) => saved_query::save(&session, save).await,
        Some(Verb::Saved(verb)) => saved_query::run(&session, verb).await,
        Some(Verb::Paths { collection, prefix, limit }) => paths(&session, collection, prefix, limit).await,
        Some(Verb::Shell) => query_shell::run(session).await,
        None => {
            let ask = arguments.ask;
            let wording = ask.asked.wording(&session)?;
            if ask.watch {
                watch(&session, wording, &ask).await
            } else {
                answer(&session, wording, ask.limit, ask.csv).await
            }
        }
    }
}

/// Prints the answer of a query.
pub(crate) async fn answer(session: &Session, wording: Wording, limit: Option<usize>, csv: bool) -> anyhow::Result<()> {
    let mut left = limit.unwrap_or(usize::MAX);
    let mut request = proto::QueryRequest {
        parent: session.parent(),
        text: wording.text,
        saved_query: wording.saved_query,
        page_size: i32::try_from(left.clamp(1, 1_000)).unwrap_or(PAGE),
        page_token: String::new(),
        read: session.read,
    };
    let mut rows = 0;
    loop {
        let page = session.client.queries().query(request.clone()).await?;
        let taken: Vec<Value> =
            page.rows_json.iter().take(left).map(|row| serde_json::from_str(row)).collect::<Result<_, _>>()?;
        left -= taken.len();
        print(session.format, csv, &page.columns, &taken, rows == 0)?;
        rows += taken.len();
        let revision = page.header.as_ref().map_or(0, |header| header.revision);
        if page.next_page_token.is_empty() || left == 0 {
            talk(format_args!("{rows} rows as of revision {revision}"));
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

fn print(format: Format, csv: bool, columns: &[String], rows: &[Value], is_first: bool) -> anyhow::Result<()> {
    if !csv && format == Format::Json {
        for row in rows {
            output::line(&row.to_string())?;
        }
        return Ok(());
    }
    // Documents have no columns of their own: their members are shown, in order.
    let own: Vec<String> = match (columns.is_empty(), rows.first()) {
        (true, Some(Value::Object(members))) => members.keys().cloned().collect(),
        _ => columns.to_vec(),
    };
    let cells = |row: &Value| own.iter().map(|name| row.get(name).map_or(String::new(), cell)).collect::<Vec<_>>();
    if csv {
        let mut out = std::io::stdout().lock();
        if is_first {
            writeln!(out, "{}", own.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(","))?;
        }
        for row in rows {
            writeln!(out, "{}", cells(row).iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","))?;
        }
        return Ok(());
    }
    output::table(&own, rows.iter().map(cells), is_first)?;
    Ok(())
}

/// A value in a cell: text as it is, everything else as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As RFC 4180 has it.
fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

async fn watch(session: &Session, wording: Wording, ask: &Ask) -> anyhow::Result<()> {
    // Other endpoints take over when this one goes away.
    if let Err(error) = session.client.cluster().learn_members().await {
        talk(format_args!("only the given endpoints are used: {error}"));
    }
    let explained = session.client.queries().explain(explanation(session, wording.clone(), false)).await?;
    let request = proto::WatchQueryRequest {
        parent: session.parent(),
        text: wording.text,
        saved_query: wording.saved_query,
        read: session.read,
        resume_revision: ask.resume,
    };
    if explained.watchable_rows {
        watch_rows(session, request, ask.count).await
    } else {
        watch_answers(session, request, ask.count).await
    }
}

async fn watch_rows(session: &Session, request: proto::WatchQueryRequest, count: Option<u64>) -> anyhow::Result<()> {
    let mut watcher = session.client.watch_query(request);
    let mut printed = 0;
    while count.is_none_or(|count| printed < count) {
        let message = tokio::select! {
            message = watcher.next() => message?,
            interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
        };
        let revision = message.header.as_ref().map_or(0, |header| header.revision);
        let what = match message.kind() {
            Kind::Enter => "enter",
            Kind::Update => "update",
            Kind::Leave => "leave",
            Kind::Progress | Kind::Unspecified => continue,
        };
        let row: Value = serde_json::from_str(&message.row_json).unwrap_or(Value::Null);
        let line = match session.format {
            Format::Json => json!({ "revision": revision, "kind": what, "id": message.id, "row": row }).to_string(),
            Format::Table => printable(&format!("{revision:<9} {what:<7} {:<24} {}", message.id, message.row_json)),
        };
        output::line(&line)?;
        printed += 1;
    }
    Ok(())
}

async fn watch_answers(session: &Session, request: proto::WatchQueryRequest, count: Option<u64>) -> anyhow::Result<()> {
    let mut answers = session.client.watch_answers(request).await?;
    let mut printed = 0;
    while count.is_none_or(|count| printed < count) {
        let message = tokio::select! {
            message = answers.message() => message.map_err(|status| anyhow::anyhow!("{}", status.message()))?,
            interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
        };
        let Some(message) = message else { anyhow::bail!("the node ended the stream") };
        if message.unchanged {
            continue;
        }
        let revision = message.header.as_ref().map_or(0, |header| header.revision);
        let rows: Vec<Value> =
            message.rows_json.iter().map(|row| serde_json::from_str(row)).collect::<Result<_, _>>()?;
        if session.format == Format::Json {
            output::line(&json!({ "revision": revision, "rows": rows }).to_string())?;
        } else {
            talk(format_args!("as of revision {revision}:"));
            print(session.format, false, &message.columns, &rows, true)?;
        }
        printed += 1;
    }
    Ok(())
}

fn explanation(session: &Session, wording: Wording, analyze: bool) -> proto::ExplainRequest {
    let Wording { text, saved_query } = wording;
    proto::ExplainRequest { parent: session.parent(), text, saved_query, analyze, read: session.read }
}

/// Prints how a query is carried out.
pub(crate) async fn explain(session: &Session, wording: Wording, analyze: bool) -> anyhow::Result<()> {
    let answer = session.client.queries().explain(explanation(session, wording, analyze)).await?;
    if session.format == Format::Json {
        let cost = answer.cost.as_ref().map(|cost| {
            json!({
                "rowsTotal": cost.rows_total, "rowsMatched": cost.rows_matched, "rowsAnswered": cost.rows_answered,
                "documentsRead": cost.documents_read, "tookMicros": cost.took_micros, "memoryBytes": cost.memory_bytes,
            })
        });
        let plan: Vec<&str> = answer.plan.lines().collect();
        return Ok(output::line(&json!({ "plan": plan, "residual": answer.residual, "cost": cost }).to_string())?);
    }
    output::line(answer.plan.trim_end())?;
    for path in &answer.residual {
        output::line(&format!("from whole documents: {path}"))?;
    }
    if let Some(cost) = &answer.cost {
        output::line(&format!(
            "{} of {} rows matched, {} answered, {} documents read, {:.3} ms, {} KiB",
            cost.rows_matched,
            cost.rows_total,
            cost.rows_answered,
            cost.documents_read,
            std::time::Duration::from_micros(cost.took_micros).as_secs_f64() * 1e3,
            cost.memory_bytes >> 10,
        ))?;
    }
    Ok(())
}

async fn diff(session: &Session, wording: Wording, from: u64, to: u64, limit: i32) -> anyhow::Result<()> {
    let Wording { text, saved_query } = wording;
    let (parent, from_revision, to_revision) = (session.parent(), from, to);
    let request = proto::DiffQueryRequest { parent, text, saved_query, from_revision, to_revision, limit };
    let answer = session.client.queries().diff(request).await?;
    for found in &answer.differences {
        if session.format == Format::Json {
            let read = |json: &str| serde_json::from_str::<Value>(json).unwrap_or(Value::Null);
            let line = json!({ "id": found.id, "before": read(&found.before_json), "after": read(&found.after_json) });
            output::line(&line.to_string())?;
            continue;
        }
        output::line(&printable(&found.id))?;
        for (sign, row) in [("-", &found.before_json), ("+", &found.after_json)] {
            if !row.is_empty() {
                output::line(&printable(&format!("  {sign} {row}")))?;
            }
        }
    }
    if answer.truncated {
        talk(format_args!("there are more; raise --limit"));
    }
    Ok(())
}

async fn paths(session: &Session, collection: String, prefix: String, limit: i32) -> anyhow::Result<()> {
    let request = proto::ListPathsRequest { parent: session.parent(), collection, prefix, limit };
    let answer = session.client.queries().list_paths(request).await?;
    if session.format == Format::Json {
        for path in &answer.paths {
            output::line(&json!({ "path": path.path, "rows": path.rows }).to_string())?;
        }
        return Ok(());
    }
    let rows = answer.paths.iter().map(|path| vec![path.path.clone(), path.rows.to_string()]);
    Ok(output::table(&["PATH".to_owned(), "ROWS".to_owned()], rows, true)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_as_rfc_4180_has_it() {
        assert_eq!(quoted("a b"), "a b");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(cell(&json!([1, "x"])), "[1,\"x\"]");
        assert_eq!(cell(&json!("x")), "x");
    }
}
