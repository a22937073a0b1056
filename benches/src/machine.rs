//! What the operating system says: processor time of a process, kind of disk, cost of a sync.
//!
//! Reads `/proc` only; on a system without it there are no processor figures, and that is an error, not a zero.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

/// The kernel reports processor time to programs in hundredths of a second on every architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// File systems in memory, where a sync costs nothing and a durable write is none.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "devtmpfs"];

/// What the numbers of a report depend on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) file_system: String,
    /// Median of an append of 4 KiB with fdatasync, in µs, the machine at rest.
    pub(crate) sync_us: u64,
}

impl Machine {
    /// Looks at the machine, and measures a sync in the folder where nodes will keep their data.
    pub(crate) fn look(data_dir: &Path) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("read /proc/self/mounts")?;
        Ok(Self {
            cores: std::thread::available_parallelism().context("count processors")?.get(),
            file_system: file_system_of(&mounts, &data_dir.canonicalize().context("find the data folder")?),
            sync_us: median_sync_us(data_dir).context("measure a sync")?,
        })
    }

    pub(crate) fn keeps_data_in_memory(&self) -> bool {
        IN_MEMORY.contains(&self.file_system.as_str())
    }
}

/// Processor time that all threads of a process have spent since it began.
pub(crate) fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    ticks_of(&stat).map(|ticks| Duration::from_secs_f64(ticks / TICKS_PER_SECOND)).context("read /proc/PID/stat")
}

/// Memory of a process that is in use right now, bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no memory in /proc/PID/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>().context("read /proc/PID/status")? << 10)
}

/// User and system ticks: fields 14 and 15, counted behind the name, which may hold blanks and brackets.
fn ticks_of(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The type of the mount with the longest path above `path`; the last one mounted wins a tie.
fn file_system_of(mounts: &str, path: &Path) -> String {
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(mount, _)| path.starts_with(mount))
        .max_by_key(|(mount, _)| mount.len())
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

fn median_sync_us(dir: &Path) -> Result<u64> {
    let path = dir.join("sync-probe");
    let mut file = File::create(&path)?;
    let mut samples = Vec::with_capacity(50);
    for _ in 0..50 {
        let begin = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        samples.push(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    fs::remove_file(&path)?;
    samples.sort_unstable();
    Ok(samples[samples.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_brackets() {
        let stat = "42 (a) b (c) S 1 1 1 0 -1 4194304 10 0 0 0 123 77 0 0 20 0 3 0 100 1 1";
        assert_eq!(ticks_of(stat), Some(200.0));
        assert_eq!(ticks_of("42 (short) S 1"), None);
    }

    #[test]
    fn the_longest_mount_names_the_file_system() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/disk xfs rw 0 0\n";
        assert_eq!(file_system_of(mounts, Path::new("/home/x")), "ext4");
        assert_eq!(file_system_of(mounts, Path::new("/tmp/x")), "tmpfs");
        assert_eq!(file_system_of(mounts, Path::new("/tmp/disk/x")), "xfs");
    }

    #[test]
    fn a_busy_process_spends_time() {
        let own = std::process::id();
        let before = processor_time(own).unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(300) {
            std::hint::black_box(ticks_of("x"));
        }
        assert!(processor_time(own).unwrap() > before);
        assert!(processor_time(u32::MAX).is_err());
    }
}
