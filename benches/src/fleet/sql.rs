//! The fleet in PostgreSQL: a table of `jsonb` with indexes, prepared statements, one connection for each client.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use futures::SinkExt;
use futures::future::try_join_all;
use tokio::time::Instant;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use super::dataset::{Change, Fleet, Section};
use super::indexes;
use super::questions::Question;
use super::store::{Rows, Session, Size, Step, Store, kernel_mib};

/// Lines of one message of `COPY`.
const LINES: usize = 1_000;
/// Runs by which it is decided whether a question is better off with JIT.
const TRIES: u32 = 3;
/// Patches are flat, so that a merge of the section's first level is all of it.
const UPDATE: &str =
    "UPDATE twins SET doc = jsonb_set(doc, ARRAY[$2::text], (doc->$2::text) || $3::text::jsonb) WHERE id = $1";

/// Where the server is.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    folder: PathBuf,
    user: String,
    /// The server's first process.
    pid: u32,
}

/// One connection.
pub(super) struct SqlSession {
    client: Client,
    update: Option<Statement>,
    current: Option<(Statement, Option<u16>)>,
    /// Whether the questions are asked of the fitted table.
    fitted: bool,
    /// Whether a question is better off with JIT, once known.
    jit: HashMap<&'static str, bool>,
}

impl Sql {
    pub(super) fn new(folder: PathBuf, user: String, pid: u32) -> Self {
        Self { folder, user, pid }
    }

    pub(super) async fn connect(&self) -> Result<Client> {
        let mut config = Config::new();
        config.host_path(&self.folder).user(&self.user).dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.context("connect to PostgreSQL")?;
        // It ends with the client.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Makes the fitted table of the one with the usual indexes, which is gone then.
    pub(super) async fn fit(&self) -> Result<Step> {
        let begun = Instant::now();
        self.all(&indexes::fitted()).await?;
        self.settle().await?;
        Ok(Step::new("fitted table and indexes", begun.elapsed()))
    }

    /// A client that asks the fitted table.
    pub(super) async fn fitted_session(&self) -> Result<SqlSession> {
        Ok(SqlSession { fitted: true, ..self.session().await? })
    }

    async fn all(&self, statements: &[String]) -> Result<()> {
        let client = self.connect().await?;
        for statement in statements {
            client.batch_execute(statement).await.with_context(|| statement.clone())?;
        }
        Ok(())
    }
}

impl Store for Sql {
    type Session = SqlSession;

    async fn session(&self) -> Result<SqlSession> {
        let client = self.connect().await?;
        Ok(SqlSession { client, update: None, current: None, fitted: false, jit: HashMap::new() })
    }

    async fn load(&self, fleet: &Fleet) -> Result<Vec<Step>> {
        let client = self.connect().await?;
        let begun = Instant::now();
        client.batch_execute("CREATE TABLE twins (id text PRIMARY KEY, doc jsonb NOT NULL)").await?;
        let sink = client.copy_in::<_, bytes::Bytes>("COPY twins FROM STDIN").await?;
        let mut sink = std::pin::pin!(sink);
        for first in (0..fleet.twins).step_by(LINES) {
            let lines: String = (first..fleet.twins).take(LINES).map(|index| line(fleet, index)).collect();
            sink.send(lines.into()).await?;
        }
        sink.as_mut().finish().await?;
        let (loaded, begun) = (begun.elapsed(), Instant::now());
        self.all(&indexes::usual()).await?;
        let (indexed, begun) = (begun.elapsed(), Instant::now());
        self.settle().await?;
        Ok(vec![
            Step::new("COPY", loaded),
            Step::new("usual indexes", indexed),
            Step::new("VACUUM ANALYZE", begun.elapsed()),
        ])
    }

    async fn settle(&self) -> Result<()> {
        // The checkpoint now is none while something is measured.
        let client = self.connect().await?;
        client.batch_execute("VACUUM ANALYZE twins").await?;
        Ok(client.batch_execute("CHECKPOINT").await?)
    }

    async fn sizes(&self) -> Result<Vec<Size>> {
        let client = self.connect().await?;
        let bytes = "SELECT pg_total_relation_size('twins'), pg_table_size('twins')";
        let row = client.query_one(bytes, &[]).await?;
        let mib = |at: usize| u64::try_from(row.get::<_, i64>(at) >> 20).unwrap_or(0);
        // Parts of shared memory are counted once over all processes; one may end while it is looked at.
        let memory = self.processes()?.into_iter().filter_map(|pid| kernel_mib(pid, "smaps_rollup", "Pss").ok()).sum();
        Ok(vec![
            Size { what: "table and indexes", mib: mib(0) },
            Size { what: "table alone", mib: mib(1) },
            Size { what: "memory of all processes", mib: memory },
        ])
    }

    /// The first one has the others as children.
    fn processes(&self) -> Result<Vec<u32>> {
        let mut found = vec![self.pid];
        for entry in std::fs::read_dir("/proc").context("read /proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1)?.parse().ok());
            if parent == Some(self.pid) {
                found.push(pid);
            }
        }
        Ok(found)
    }
}

fn line(fleet: &Fleet, index: u32) -> String {
    let twin = fleet.twin(index);
    format!(
        "{id}\t{{\"deviceId\":\"{id}\",\"tags\":{},\"desired\":{},\"reported\":{}}}\n",
        twin.tags,
        twin.desired,
        twin.reported,
        id = twin.id
    )
}

impl SqlSession {
    /// What the server does for a question, as it plans it now: the scans and their indexes.
    pub(super) async fn scans(&self, question: &Question) -> Result<Vec<String>> {
        let rows = self.client.query(&format!("EXPLAIN (COSTS OFF) {}", self.sql(question)), &[]).await?;
        let lines = rows.iter().map(|row| row.get::<_, String>(0).trim().trim_start_matches("-> ").trim().to_owned());
        let jit = self.jit.get(question.key).is_some_and(|jit| *jit).then(|| "JIT allowed".to_owned());
        Ok(lines.filter(|line| line.contains("Scan")).chain(jit).collect())
    }

    fn sql<'a>(&self, question: &'a Question) -> &'a str {
        question.fitted.as_deref().filter(|_| self.fitted).unwrap_or(&question.sql)
    }

    async fn prepare(&mut self, question: &Question, jit: bool) -> Result<()> {
        // A statement without parameters keeps the plan of its first run, and with it this setting.
        self.client.batch_execute(if jit { "SET jit = on" } else { "SET jit = off" }).await?;
        let statement = self.client.prepare(self.sql(question)).await.with_context(|| self.sql(question).to_owned())?;
        self.current = Some((statement, question.page));
        self.time().await
    }

    /// The best of a few runs, seconds.
    async fn best(&mut self, question: &Question, jit: bool) -> Result<f64> {
        self.prepare(question, jit).await?;
        let mut best = f64::INFINITY;
        for _ in 0..TRIES {
            let begun = Instant::now();
            self.time().await?;
            best = best.min(begun.elapsed().as_secs_f64());
        }
        Ok(best)
    }

    async fn rows(&mut self) -> Result<Vec<Row>> {
        let (statement, page) = self.current.as_ref().context("no question was turned to")?;
        let Some(page) = page else { return Ok(self.client.query(statement, &[]).await?) };
        let transaction = self.client.transaction().await?;
        let portal = transaction.bind(statement, &[]).await?;
        let mut rows = Vec::new();
        loop {
            let next = transaction.query_portal(&portal, i32::from(*page)).await?;
            let more = next.len() == usize::from(*page);
            rows.extend(next);
            if !more {
                transaction.commit().await?;
                return Ok(rows);
            }
        }
    }
}

impl Session for SqlSession {
    fn learn(&mut self, from: &Self) {
        self.jit.clone_from(&from.jit);
    }

    async fn turn_to(&mut self, question: &Question) -> Result<()> {
        let jit = match self.jit.get(question.key) {
            Some(jit) => *jit,
            // A probe is asked once.
            None if question.key == "probe" => false,
            None => {
                let jit = self.best(question, true).await? < self.best(question, false).await?;
                self.jit.insert(question.key, jit);
                jit
            }
        };
        self.prepare(question, jit).await
    }

    async fn ask(&mut self) -> Result<Rows> {
        let text = |row: &Row| (0..row.len()).map(|at| row.get::<_, Option<String>>(at).unwrap_or_default()).collect();
        Ok(self.rows().await?.iter().map(text).collect())
    }

    async fn time(&mut self) -> Result<()> {
        self.rows().await.map(drop)
    }

    async fn change(&mut self, changes: &[Change]) -> Result<()> {
        if self.update.is_none() {
            self.update = Some(self.client.prepare(UPDATE).await?);
        }
        let update = self.update.clone().context("prepared above")?;
        let transaction = self.client.transaction().await?;
        {
            // All are on their way at once, in this order.
            let transaction = &transaction;
            let made =
                try_join_all(
                    changes.iter().map(|change| {
                        let update = &update;
                        async move {
                            transaction.execute(update, &[&change.id, &section(change.section), &change.patch]).await
                        }
                    }),
                );
            ensure!(made.await?.iter().all(|rows| *rows == 1), "a change found no twin");
        }
        transaction.commit().await?;
        Ok(())
    }
}

fn section(section: Section) -> &'static str {
    match section {
        Section::Tags => "tags",
        Section::Desired => "desired",
        Section::Reported => "reported",
    }
}
