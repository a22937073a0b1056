//! As `std::sync`, for threads that run one at a time: who waits hands the baton on.

pub use ::std::sync::*;

pub mod mpsc;
mod mutex;

pub use mutex::{Condvar, Mutex, MutexGuard, WaitTimeoutResult};
