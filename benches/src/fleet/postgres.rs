//! PostgreSQL 15 as a peer: a cluster of its own in a temporary folder, on a Unix socket, tuned by hand.
//!
//! Knows how the server is started and ended; what it is asked is `sql.rs`. Nothing listens on the network, and the server
//! ends with this program, even by `kill -9`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, chown};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::sql::Sql;

/// Where Debian and others put the server's programs.
const FOLDERS: [&str; 3] = ["/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin", "/usr/local/pgsql/bin"];
/// The user that the server's package makes; it refuses to run as root.
const USER: &str = "postgres";
const START_WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(60);

/// Memory for a machine of which a quarter is PostgreSQL's; no sync at each commit, which flatters it: Muster syncs once for
/// many. JIT is chosen for each question.
const SETTINGS: [&str; 11] = [
    "listen_addresses=",
    "shared_buffers=4GB",
    "work_mem=256MB",
    "maintenance_work_mem=1GB",
    "effective_cache_size=8GB",
    "max_parallel_workers_per_gather=2",
    "synchronous_commit=off",
    "max_wal_size=8GB",
    "random_page_cost=1.1",
    "effective_io_concurrency=200",
    "log_min_messages=warning",
];

/// The running server.
pub(super) struct Postgres {
    child: Child,
    pid: u32,
    folder: PathBuf,
    /// Whom the server runs as, when this program is root.
    user: Option<User>,
}

/// The folder of the programs: the named one, or where they usually are.
pub(super) fn installed(named: Option<&Path>) -> Result<PathBuf> {
    let folders = named.map_or_else(|| FOLDERS.iter().map(PathBuf::from).collect(), |named| vec![named.to_owned()]);
    folders.into_iter().find(|folder| folder.join("initdb").is_file()).context(
        "PostgreSQL 15 is not installed (Debian: apt-get install postgresql-15; its service need not run); \
         --postgres names the folder of its programs, --no-postgres leaves it out",
    )
}

impl Postgres {
    /// Makes a cluster in `folder`, which is not there yet, and starts it.
    pub(super) async fn start(bin: &Path, folder: &Path) -> Result<Self> {
        std::fs::create_dir(folder).with_context(|| format!("make {}", folder.display()))?;
        let user = if Uid::effective().is_root() {
            let user =
                User::from_name(USER)?.with_context(|| format!("there is no user {USER} to run the server as"))?;
            chown(folder, Some(user.uid), Some(user.gid)).context("give the folder to the server")?;
            // Others may pass through the folder of this run, and read nothing in it.
            let parent = folder.parent().context("the folder of the run")?;
            std::fs::set_permissions(parent, std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
            Some(user)
        } else {
            None
        };
        let made = command(&bin.join("initdb"), user.as_ref())
            .args(["-A", "trust", "-E", "UTF8", "--locale=C", "-D"])
            .arg(folder.join("data"))
            .output()
            .await
            .context("run initdb")?;
        ensure!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = command(&bin.join("postgres"), user.as_ref());
        server.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let log = std::fs::File::create(folder.join("log")).context("create the server's log")?;
        let child = server.stderr(log).process_group(0).spawn().context("start PostgreSQL")?;
        let pid = child.id().context("PostgreSQL ended at once")?;
        let mut postgres = Self { child, pid, folder: folder.to_owned(), user };
        postgres.wait().await?;
        Ok(postgres)
    }

    async fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_WITHIN;
        while let Err(error) = self.place().connect().await {
            let ended = self.child.try_wait()?.is_some();
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("PostgreSQL did not start: {error:#}\n{log}");
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Where it is.
    pub(super) fn place(&self) -> Sql {
        let name = self.user.as_ref().map(|user| user.name.clone());
        let own = || User::from_uid(Uid::effective()).ok().flatten().map(|user| user.name);
        Sql::new(self.folder.clone(), name.or_else(own).unwrap_or_default(), self.pid)
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid) {
            // One that has ended already needs no signal.
            kill(Pid::from_raw(pid), signal).ok();
        }
    }

    /// Ends it in order.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGINT);
        timeout(END_WITHIN, self.child.wait()).await.context("PostgreSQL did not end")??;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once and with its children, which a kill of the first process alone would leave behind for a moment.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGQUIT);
        }
    }
}

/// A program that ends with this one, as the server's user. To be called on the main thread (see `process.rs`).
fn command(program: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if let Some(user) = user {
        command.args(["--reuid", &user.name, "--regid", &user.gid.to_string(), "--init-groups"]);
    }
    command.arg("--").arg(program).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}
