//! The column families of the state store and how each is tuned.
//!
//! This file knows names and options only; which keys lie in a family is said in `keys.rs`.
//!
//! - Every family is created at open; a retired name is never used again for something else.
//! - The table format is pinned: a snapshot travels as files, so all members must be able to read it.

use rocksdb::{BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, Options};

/// Cluster-wide counters, the last applied entry, the membership.
pub const META: &str = "meta";
/// Events by revision, append-only.
pub const EVENTS: &str = "events";
/// The current state of every resource.
pub const STATES: &str = "states";
/// What a resource looked like before each of its changes.
pub const HISTORY: &str = "history";
/// Outcomes by request id.
pub const DEDUP: &str = "dedup";
/// Secondary keys: lists and look-ups that are not by name.
pub const SECONDARY: &str = "secondary";

/// All families of the state store, without RocksDB's own `default`, which stays empty.
pub const ALL: [&str; 6] = [META, EVENTS, STATES, HISTORY, DEDUP, SECONDARY];

/// RocksDB's block-based table format, readable since RocksDB 6.6. Raise it only with the cluster's feature level.
pub(super) const TABLE_FORMAT: i32 = 5;

/// One descriptor for each family.
pub(super) fn descriptors(cache: &Cache, write_buffer_bytes: usize) -> Vec<ColumnFamilyDescriptor> {
    std::iter::once("default")
        .chain(ALL)
        .map(|name| ColumnFamilyDescriptor::new(name, options(name, cache, write_buffer_bytes)))
        .collect()
}

fn options(name: &str, cache: &Cache, write_buffer_bytes: usize) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_format_version(TABLE_FORMAT);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In parts of 4 KiB: the whole filter of a large table is larger than a shard of the cache, and would be read anew,
    // and checked, for every look-up.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4_096);
    table.set_pin_top_level_index_and_filter(true);
    table.set_block_size(16 << 10);
    if is_read_by_key(name) {
        table.set_bloom_filter(10.0, false);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    // `META` too, although it is small: whichever is full first lets all be flushed.
    options.set_write_buffer_size(write_buffer_bytes);
    options.set_max_write_buffer_number(4);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
    options
}

/// Families read by exact key, where a filter saves a disk read for a key that is absent.
fn is_read_by_key(name: &str) -> bool {
    matches!(name, STATES | DEDUP | SECONDARY)
}
