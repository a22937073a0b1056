//! Reasons that no node gives. They are here because the list of reasons is one, and their pages lie with the others.

use tonic::Code;

/// Reasons that the agent of an edge gives on its socket and in its status, beside those of the cluster.
pub const OF_AGENTS: [(&str, Code); 3] = [
    ("STORE_IS_OLD", Code::FailedPrecondition),
    ("SEQUENCE_FORGOTTEN", Code::FailedPrecondition),
    ("EDGE_DISK_FULL", Code::ResourceExhausted),
];
