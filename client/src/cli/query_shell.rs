//! `muster query shell`: a line is a query, Tab completes keywords and known paths, the arrow keys bring back earlier ones.
//!
//! A query ends with `;` or an empty line, so that it may have several lines. What is asked is kept in
//! `~/.local/state/muster/query-history`, at most a thousand queries.

use std::path::PathBuf;

use muster_client::proto;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Completer, Context, Editor, Helper, Highlighter, Hinter, Validator};

use crate::output::talk;
use crate::query;
use crate::saved_query::Wording;
use crate::session::Session;

const KEYWORDS: [&str; 33] = [
    "SELECT",
    "DISTINCT",
    "TOP",
    "FROM",
    "WHERE",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "ASC",
    "DESC",
    "AS OF REVISION",
    "AS OF TIME",
    "JOIN",
    "COUNT()",
    "SUM(",
    "AVG(",
    "MIN(",
    "MAX(",
    "PERCENTILE(",
    "HISTOGRAM(",
    "IS_DEFINED(",
    "STARTSWITH(",
    "CONTAINS(",
    "MATCH(",
    "devices",
    "devices.modules",
    "assets",
];
const PATHS_MAX: i32 = 1_000;

/// Reads queries until the end of input.
pub(crate) async fn run(session: Session) -> anyhow::Result<()> {
    let known = known_paths(&session).await?;
    let mut lines = Editor::<Words, DefaultHistory>::new()?;
    lines.set_helper(Some(Words { words: Known(known) }));
    let file = history_file();
    if let Some(file) = &file {
        // The first time there is none.
        drop(lines.load_history(file));
    }
    talk(format_args!("a query ends with `;`; `explain …;` tells how it is carried out; Ctrl-D ends"));
    let mut text = String::new();
    loop {
        let prompt = if text.is_empty() { "muster> " } else { "      > " };
        // Reading from a terminal blocks: nothing else goes on here meanwhile.
        match tokio::task::block_in_place(|| lines.readline(prompt)) {
            Ok(line) => {
                let line = line.trim_end();
                let is_whole = line.ends_with(';') || (line.is_empty() && !text.is_empty());
                text.push_str(line.trim_end_matches(';'));
                text.push('\n');
                if is_whole {
                    let asked = std::mem::take(&mut text);
                    lines.add_history_entry(format!("{};", asked.trim()))?;
                    ask(&session, asked.trim()).await;
                } else if text.trim().is_empty() {
                    text.clear();
                }
            }
            Err(ReadlineError::Interrupted) => text.clear(),
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(file) = &file {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        lines.save_history(file)?;
    }
    Ok(())
}

async fn ask(session: &Session, text: &str) {
    let explained = text.split_once(char::is_whitespace).filter(|(first, _)| first.eq_ignore_ascii_case("explain"));
    let answered = match explained {
        Some((_, text)) => query::explain(session, Wording::own(text.to_owned()), true).await,
        None => query::answer(session, Wording::own(text.to_owned()), None, false).await,
    };
    // The shell goes on after a mistake.
    if let Err(error) = answered {
        talk(format_args!("{error:#}"));
    }
}

async fn known_paths(session: &Session) -> anyhow::Result<Vec<String>> {
    let mut known: Vec<String> = KEYWORDS.iter().map(|word| (*word).to_owned()).collect();
    for collection in ["devices", "devices.modules", "assets"] {
        let (parent, prefix) = (session.parent(), String::new());
        let request = proto::ListPathsRequest { parent, collection: collection.to_owned(), prefix, limit: PATHS_MAX };
        known.extend(session.client.queries().list_paths(request).await?.paths.into_iter().map(|path| path.path));
    }
    known.sort();
    known.dedup();
    Ok(known)
}

fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("muster/query-history"))
}

/// What the line editor asks.
#[derive(Helper, Completer, Hinter, Highlighter, Validator)]
struct Words {
    #[rustyline(Completer)]
    words: Known,
}

/// Words that complete, ordered.
struct Known(Vec<String>);

impl Completer for Known {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(&line[..at]))
    }
}

impl Known {
    /// Where the word begins that ends here, and what it may become.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '[' | ']' | '-');
        let start = line.char_indices().rev().find(|(_, c)| !is_part(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        let word = line[start..].to_lowercase();
        let fits = self.0.iter().filter(|known| !word.is_empty() && known.to_lowercase().starts_with(&word));
        (start, fits.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn keywords_and_paths_complete_the_word_at_hand() {
        let known = Known(["SELECT", "tags.region", "tags.[[a b]]"].map(str::to_owned).to_vec());
        assert_eq!(known.candidates("sel"), (0, vec!["SELECT".to_owned()]));
        assert_eq!(known.candidates("SELECT ta"), (7, vec!["tags.region".to_owned(), "tags.[[a b]]".to_owned()]));
        assert_eq!(known.candidates("SELECT "), (7, Vec::new()));
    }
}
