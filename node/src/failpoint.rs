//! Places where a test may end the process as `kill -9` would: between the steps of work that touches files.
//!
//! `MUSTER_FAILPOINT=name` in the environment ends the process the first time it comes by that place, and
//! `MUSTER_FAILPOINT=name:3` the third time. Only in builds with debug assertions; a release never looks. Nothing but ending
//! happens here: what a node does between two points is the same with and without them.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! points {
    ($($(#[$about:meta])* $point:ident = $name:literal,)*) => {
        /// A place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $($(#[$about])* $point,)*
        }

        impl Point {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// As the variable names it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }
        }
    };
}

points! {
    /// Snapshot: the checkpoint is there, nobody has looked into it.
    BuildCopied = "snapshot.build.copied",
    /// Snapshot: the files are hashed.
    BuildDescribed = "snapshot.build.described",
    /// Snapshot, built or installed: it is complete, under its temporary name.
    PublishComplete = "snapshot.publish.complete",
    /// Snapshot, built or installed: it has its final name.
    PublishNamed = "snapshot.publish.named",
    /// Transfer, sending side: a chunk is about to go out.
    SendChunk = "snapshot.send.chunk",
    /// Transfer, receiving side: the manifest was taken.
    ReceiveBegun = "snapshot.receive.begun",
    /// Transfer, receiving side: a chunk was written.
    ReceiveChunk = "snapshot.receive.chunk",
    /// Transfer, receiving side: a file is whole.
    ReceiveFile = "snapshot.receive.file",
    /// Transfer, receiving side: everything is there and checked.
    ReceiveComplete = "snapshot.receive.complete",
    /// Installation: the snapshot's files are linked into a directory of this node's own.
    InstallLinked = "snapshot.install.linked",
    /// Installation: the snapshot is this node's current one, the state is still the old one.
    InstallKept = "snapshot.install.kept",
    /// Installation: the new state's files are in place.
    StateLinked = "state.install.linked",
    /// Installation: the new state's database is open.
    StateOpened = "state.install.opened",
    /// Installation: the pointer names the new state.
    StatePointed = "state.install.pointed",
    /// Installation: the new state is in use, what was remembered of the old one is not forgotten.
    InstallDone = "snapshot.install.done",
    /// Backup: the checkpoint is there.
    BackupCopied = "backup.copied",
    /// Backup: a chunk is about to go out.
    BackupSending = "backup.sending",
    /// Restore: the files are copied, nobody has looked into them.
    RestoreCopied = "restore.copied",
    /// Restore: everything is there, the directory belongs to nobody yet.
    RestoreFilled = "restore.filled",
    /// Restore: the directory belongs to the new cluster, and is not said to be whole.
    RestoreClaimed = "restore.claimed",
    /// Edge session: a hello was read.
    SyncHello = "sync.hello",
    /// Edge session: the log has granted the epoch, nobody was told.
    SyncOpened = "sync.opened",
    /// Edge session: the welcome is about to go out.
    SyncWelcome = "sync.welcome",
    /// Edge session: items are about to go out.
    SyncItems = "sync.items",
    /// Edge session: a mark is about to go out.
    SyncMark = "sync.mark",
    /// Edge session: operations have come, and are not proposed.
    SyncOperations = "sync.operations",
    /// Edge session: operations are proposed.
    SyncUplink = "sync.uplink",
    /// Edge session: the log has taken operations, the edge was not told.
    SyncApplied = "sync.applied",
    /// Edge session: the result of operations is about to go out.
    SyncResult = "sync.result",
    /// Edge session: differences are about to go out.
    SyncDifferences = "sync.differences",
    /// Edge session: contents are about to be asked for.
    SyncVerify = "sync.verify",
}

struct Armed {
    name: String,
    left: AtomicU64,
}

static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
    let setting = std::env::var("MUSTER_FAILPOINT").ok()?;
    let (name, times) = setting.split_once(':').unwrap_or((&setting, "1"));
    Some(Armed { name: name.to_owned(), left: AtomicU64::new(times.parse().unwrap_or(1)) })
});

/// Ends the process here if a test asks for it.
pub fn reach(point: Point) {
    if cfg!(debug_assertions)
        && let Some(armed) = &*ARMED
        && armed.name == point.name()
        && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        tracing::error!(point = point.name(), "a failpoint ends this process");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::Point;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
