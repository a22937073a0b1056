//! The command line: what to measure, for how long, against whom.
//!
//! Knows no system and no number beyond the defaults; what a case consists of is `rounds.rs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Muster's load generator, with real peers run beside it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One twin patch per call; against etcd put and a bare tonic echo.
    Write(Settings),
    /// Linearizable twin reads; against etcd's linearizable range and a bare tonic echo.
    Read(Settings),
    /// Patches on streams and in batches; against etcd put with 256 clients.
    Stream(Settings),
    /// Many watchers of one node, told of every change; against etcd's.
    Watch(WatchSettings),
    /// How long writes stand still when the leader is killed, and when it is told to stop.
    Failover(FailoverSettings),
    /// A large fleet: memory, disk, restart, catching up, backup and restore.
    Million(MillionSettings),
    /// Questions over a fleet; against PostgreSQL 15.
    Query(QuerySettings),
    /// Edges: memory and processor time at rest, a reconnect storm, changes up and down, a repair, the agent itself.
    Edges(EdgesSettings),
    /// The bare tonic server, run by the load generator as a process of its own.
    #[command(hide = true)]
    EchoServer {
        #[arg(long)]
        port: u16,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Measured seconds per measurement.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Seconds of load before measuring begins.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=60))]
    warmup: u64,
    /// Concurrent clients (with `stream`: streams) [default: write 1,256; read 64; stream 1,8].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=4096))]
    clients: Option<Vec<u32>>,
    /// Distinct devices, which are etcd's keys.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    keys: u32,
    /// Repetitions, in alternating order of the systems; ratios are the median of them.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Two seconds, one run, 2,000 devices: shows that everything works and measures nothing.
    #[arg(long)]
    quick: bool,
    /// Also write every number to this file, for comparison.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The node's binary [default: beside this one].
    #[arg(long, value_name = "PATH")]
    pub(crate) musterd: Option<PathBuf>,
    /// etcd's binary; where there is none, etcd is skipped.
    #[arg(long, value_name = "PATH", default_value = "etcd")]
    pub(crate) etcd: PathBuf,
    /// Leave etcd out.
    #[arg(long)]
    pub(crate) no_etcd: bool,
    /// Leave the bare tonic echo out.
    #[arg(long)]
    pub(crate) no_echo: bool,
    /// Leave Muster out.
    #[arg(long)]
    pub(crate) no_muster: bool,
    /// Connect to the leader only, of Muster and of etcd, instead of to all three nodes in turn.
    #[arg(long)]
    pub(crate) leader_only: bool,
    /// TLS between load and musterd. etcd and echo stay without, so this is no comparison.
    #[arg(long)]
    pub(crate) tls: bool,
    /// Connections to each system, shared by all clients and spread over its nodes.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) connections: u32,
    /// Patches unanswered at a time on one stream.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) in_flight: u32,
    /// Send writes without a request id, and so without protection of retries; for finding out what that costs.
    #[arg(long)]
    pub(crate) no_request_ids: bool,
    /// Where the nodes keep their data while they run; must be a real disk [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct WatchSettings {
    /// Watchers, each told of every change.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) watchers: u32,
    /// Writers of the flood, each with one put or patch unanswered at a time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) writers: u32,
    /// Changes a second in the quiet case, where latency is measured.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rate: u32,
    #[command(flatten)]
    pub(crate) common: Settings,
}

#[derive(Debug, Args)]
pub(crate) struct MillionSettings {
    /// Devices, each with its twin.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    pub(crate) twins: u32,
    /// The node's binary, with muster beside it [default: beside this one].
    #[arg(long, value_name = "PATH")]
    pub(crate) musterd: Option<PathBuf>,
    /// Where the nodes keep their data [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct QuerySettings {
    /// Devices, each with its twin.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    pub(crate) twins: u32,
    /// How often each question is asked.
    #[arg(long, default_value_t = 101, value_parser = clap::value_parser!(u32).range(3..=10_000))]
    pub(crate) runs: u32,
    /// How often one is asked that takes more than 200 ms.
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u32).range(3..=10_000))]
    pub(crate) slow_runs: u32,
    /// Clients that ask at the same time, after one alone; 1 leaves them out.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) clients: u32,
    /// Changes a second beside the questions.
    #[arg(long, value_delimiter = ',', default_values_t = [5_000, 20_000], value_parser = clap::value_parser!(u64).range(1..=200_000))]
    pub(crate) rates: Vec<u64>,
    /// Only these questions, such as q2,q5 [default: all].
    #[arg(long, value_delimiter = ',', value_name = "KEYS")]
    pub(crate) only: Vec<String>,
    /// The longest a question is asked beside changes, and how long by several clients, in seconds; by one at rest it is
    /// asked --runs times.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Which fleet.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=65_535))]
    pub(crate) seed: u64,
    /// Different paths of which each twin has five; 0 leaves them out.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(0..=9_000))]
    pub(crate) tail: u32,
    /// Live queries that are followed at the same time; 0 leaves them out.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=15_000))]
    pub(crate) subscriptions: u32,
    /// 10,000 twins and few runs: shows that everything works and measures nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Also write every number to this file, for comparison.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The folder of PostgreSQL's programs [default: where packages put version 15].
    #[arg(long, value_name = "DIR")]
    pub(crate) postgres: Option<PathBuf>,
    /// Leave PostgreSQL out; then nothing is compared.
    #[arg(long)]
    pub(crate) no_postgres: bool,
    /// Leave Muster out; then nothing is compared.
    #[arg(long)]
    pub(crate) no_muster: bool,
    /// The node's binary [default: beside this one].
    #[arg(long, value_name = "PATH")]
    pub(crate) musterd: Option<PathBuf>,
    /// Where both keep their data [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct FailoverSettings {
    /// How often the leader is killed.
    #[arg(long, default_value_t = 100)]
    pub(crate) kills: u32,
    /// How often it is told to stop.
    #[arg(long, default_value_t = 50)]
    pub(crate) stops: u32,
    /// The node's binary [default: beside this one].
    #[arg(long, value_name = "PATH")]
    pub(crate) musterd: Option<PathBuf>,
    /// Where the nodes keep their data [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EdgesSettings {
    /// Only these cases [default: all].
    #[arg(long, value_delimiter = ',', value_enum, value_name = "CASES")]
    only: Vec<EdgeCase>,
    /// Edges that are connected to one node.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=15_000))]
    pub(crate) edges: u32,
    /// Devices of each, with their twins.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) devices: u32,
    /// Idle edges without TLS.
    #[arg(long)]
    pub(crate) no_tls: bool,
    /// Few edges for a short time: shows that everything works and measures nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The node's binary, with muster-edge beside it [default: beside this one].
    #[arg(long, value_name = "PATH")]
    pub(crate) musterd: Option<PathBuf>,
    /// etcd's binary; where there is none, etcd is skipped.
    #[arg(long, value_name = "PATH", default_value = "etcd")]
    pub(crate) etcd: PathBuf,
    /// Leave etcd out.
    #[arg(long)]
    pub(crate) no_etcd: bool,
    /// Where nodes and agents keep their data [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// What is measured of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EdgeCase {
    /// Memory and processor time of connected edges.
    Idle,
    /// A node with all edges is killed.
    Storm,
    /// Reported patches a second; against etcd put.
    Uplink,
    /// From an accepted change to the edge; against etcd watch.
    Downlink,
    /// Bytes of a repair.
    Repair,
    /// The agent: memory, queue, size.
    Agent,
}

impl EdgesSettings {
    /// The cases that are wanted.
    pub(crate) fn cases(&self) -> Vec<EdgeCase> {
        if self.only.is_empty() { EdgeCase::value_variants().to_vec() } else { self.only.clone() }
    }
}

impl Settings {
    pub(crate) fn measured(&self) -> Duration {
        Duration::from_secs(if self.quick { self.seconds.min(2) } else { self.seconds })
    }

    pub(crate) fn warmup(&self) -> Duration {
        Duration::from_secs(if self.quick { self.warmup.min(1) } else { self.warmup })
    }

    /// Rest between two measurements, so that one system's flushes don't fall into the next one's time.
    pub(crate) fn rest(&self) -> Duration {
        Duration::from_millis(if self.quick { 200 } else { 1_500 })
    }

    pub(crate) fn keys(&self) -> u32 {
        if self.quick { self.keys.min(2_000) } else { self.keys }
    }

    pub(crate) fn runs(&self) -> u32 {
        if self.quick { 1 } else { self.runs }
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// The client counts asked for, or the given default.
    pub(crate) fn clients(&self, default: &[u32]) -> Vec<u32> {
        self.clients.clone().unwrap_or_else(|| default.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn client_counts_are_a_list_and_quick_bounds_everything() {
        let options = Options::try_parse_from(["muster-bench", "write", "--clients", "1,64", "--quick"]).unwrap();
        let Command::Write(settings) = options.command else { panic!("not write") };
        assert_eq!(settings.clients(&[7]), [1, 64]);
        assert_eq!((settings.runs(), settings.keys(), settings.measured().as_secs()), (1, 2_000, 2));
    }

    #[test]
    fn no_clients_and_no_time_are_refused() {
        assert!(Options::try_parse_from(["muster-bench", "read", "--clients", "0"]).is_err());
        assert!(Options::try_parse_from(["muster-bench", "read", "--seconds", "0"]).is_err());
    }
}
