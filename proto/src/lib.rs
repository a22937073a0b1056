//! Muster's public API ([`v1`]), its peer protocol ([`peer`]) and its stored formats ([`stored`]), as generated types.
//!
//! This crate holds no logic. The compatibility rules are in `README.md` beside it.
#![allow(missing_docs, reason = "generated; the .proto files are the documentation")]
#![allow(clippy::all, clippy::clone_on_ref_ptr, unused_qualifications, unreachable_pub, reason = "generated code")]

/// The public API, package `muster.v1`.
pub mod v1 {
    tonic::include_proto!("muster.v1");
}

/// What an edge agent says of itself, package `muster.edge.v1`.
pub mod edge {
    /// Version 1 of the agent's own API.
    pub mod v1 {
        tonic::include_proto!("muster.edge.v1");
    }
}

/// What nodes say to each other, package `muster.peer.v1`.
pub mod peer {
    /// Version 1 of the peer protocol.
    pub mod v1 {
        tonic::include_proto!("muster.peer.v1");
    }
}

/// What lies in the log and in the state store, package `muster.stored.v1`.
pub mod stored {
    /// Version 1 of the stored formats.
    pub mod v1 {
        tonic::include_proto!("muster.stored.v1");
    }
}

/// The encoded `FileDescriptorSet` of all packages, for gRPC reflection and for tests that walk every RPC.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
