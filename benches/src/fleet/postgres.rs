//! PostgreSQL 15 as a peer: a cluster of its own in a temporary folder, on a Unix socket, tuned by hand.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::SinkExt;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};

use super::dataset;
use super::questions::INDEXES;

/// Where Debian and others put the server's programs.
const FOLDERS: [&str; 3] = ["/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin", "/usr/local/pgsql/bin"];

/// Memory for a machine of which a quarter is PostgreSQL's, no sync at each commit (ours syncs once for many), plans without JIT, which
/// only costs here.
const SETTINGS: [&str; 9] = [
    "shared_buffers=4GB",
    "work_mem=256MB",
    "maintenance_work_mem=1GB",
    "effective_cache_size=8GB",
    "max_parallel_workers_per_gather=2",
    "jit=off",
    "synchronous_commit=off",
    "max_wal_size=8GB",
    "random_page_cost=1.1",
];

/// The running server.
pub(super) struct Postgres {
    child: Child,
    folder: PathBuf,
    own_user: bool,
    bin: PathBuf,
}

impl Postgres {
    /// The folder of the programs, if they are installed.
    pub(super) fn installed() -> Option<PathBuf> {
        FOLDERS.iter().map(PathBuf::from).find(|folder| folder.join("initdb").exists())
    }

    pub(super) async fn start(bin: &Path, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        // The server refuses to run as root; its package has made a user for it.
        let own_user = nix::unistd::Uid::effective().is_root();
        if own_user {
            let mut open = folder.to_owned();
            while open.starts_with(std::env::temp_dir()) && open != std::env::temp_dir() {
                let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                std::fs::set_permissions(&open, everybody)?;
                open.pop();
            }
            let status = Command::new("chown").arg("postgres").arg(folder).status().await?;
            ensure!(status.success(), "the folder could not be given to the user postgres");
        }
        let data = folder.join("data");
        let made = Self::command(bin, "initdb", own_user)
            .args(["-A", "trust", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .await?;
        ensure!(made.success(), "initdb failed");
        let mut server = Self::command(bin, "postgres", own_user);
        server.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-k"]).arg(folder);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let child = server.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        Ok(Self { child, folder: folder.to_owned(), own_user, bin: bin.to_owned() })
    }

    fn command(bin: &Path, program: &str, own_user: bool) -> Command {
        let mut command = if own_user { Command::new("setpriv") } else { Command::new(bin.join(program)) };
        if own_user {
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"]).arg(bin.join(program));
        }
        command.current_dir("/");
        command
    }

    /// A connection, as soon as the server takes one.
    pub(super) async fn connect(&self) -> Result<Client> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let settings = format!("host={} user=postgres dbname=postgres", self.folder.display());
        let user = if self.own_user { settings } else { settings.replace("user=postgres ", "") };
        loop {
            match tokio_postgres::connect(&user, NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return Ok(client);
                }
                Err(error) if Instant::now() > deadline => return Err(error).context("connect to PostgreSQL"),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Loads the fleet and makes the indexes; how long each took.
    pub(super) async fn load(client: &Client, twins: u32) -> Result<(Duration, Duration)> {
        let begun = Instant::now();
        client.batch_execute("CREATE TABLE twins (id text PRIMARY KEY, doc jsonb NOT NULL)").await?;
        let sink = client.copy_in::<_, bytes::Bytes>("COPY twins FROM STDIN").await?;
        let mut sink = std::pin::pin!(sink);
        for first in (0..twins).step_by(1_000) {
            let mut lines = String::new();
            for index in first..twins.min(first + 1_000) {
                let twin = dataset::twin(index);
                let doc = format!(
                    r#"{{"deviceId":"{}","tags":{},"desired":{},"reported":{}}}"#,
                    twin.id, twin.tags, twin.desired, twin.reported
                );
                lines.push_str(&format!("{}\t{doc}\n", twin.id));
            }
            sink.send(lines.into()).await?;
        }
        sink.as_mut().finish().await?;
        let (loaded, indexing) = (begun.elapsed(), Instant::now());
        for index in INDEXES {
            client.batch_execute(index).await?;
        }
        client.batch_execute("VACUUM ANALYZE twins").await?;
        Ok((loaded, indexing.elapsed()))
    }

    /// Bytes of table and indexes.
    pub(super) async fn size(client: &Client) -> Result<i64> {
        Ok(client.query_one("SELECT pg_total_relation_size('twins')", &[]).await?.get(0))
    }

    pub(super) async fn stop(mut self) {
        let data = self.folder.join("data");
        let stop = Self::command(&self.bin, "pg_ctl", self.own_user)
            .args(["-m", "immediate", "stop", "-D"])
            .arg(data)
            .stdout(Stdio::null())
            .status();
        drop(stop.await);
        drop(self.child.wait().await);
    }
}
