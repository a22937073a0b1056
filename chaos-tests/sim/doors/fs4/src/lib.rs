//! Stands in for `fs4`.

use std::io;
use std::path::Path;

/// As `fs4::available_space`: nothing when the simulated disk is full, and plenty otherwise.
///
/// # Errors
/// When the path is on no simulated disk.
pub fn available_space(path: impl AsRef<Path>) -> io::Result<u64> {
    muster_sim_std::disk::available(path.as_ref())
}
