//! Options: taken and ignored, because a model has nothing to tune.

macro_rules! ignored {
    ($type:ident { $($name:ident($($argument:ty),*);)* }) => {
        impl $type {
            $(
                /// As in `rocksdb`; without an effect.
                pub fn $name(&mut self, $(_: $argument),*) {}
            )*
        }
    };
}

/// As `rocksdb::Options`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) write_buffer_bytes: Option<usize>,
}

impl Options {
    /// As in `rocksdb`.
    pub fn set_write_buffer_size(&mut self, bytes: usize) {
        self.write_buffer_bytes = Some(bytes);
    }
}

/// As `rocksdb::WriteOptions`.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    pub(crate) past_the_log: bool,
}

impl WriteOptions {
    /// As in `rocksdb`.
    pub fn disable_wal(&mut self, disable: bool) {
        self.past_the_log = disable;
    }
}

/// As `rocksdb::FlushOptions`.
#[derive(Clone, Debug, Default)]
pub struct FlushOptions;

/// As `rocksdb::BlockBasedOptions`.
#[derive(Clone, Debug, Default)]
pub struct BlockBasedOptions;

/// As `rocksdb::Cache`.
#[derive(Clone, Debug)]
pub struct Cache;

impl Cache {
    /// As in `rocksdb`.
    #[must_use]
    pub fn new_lru_cache(_capacity: usize) -> Self {
        Self
    }
}

ignored!(Options {
    create_if_missing(bool);
    create_missing_column_families(bool);
    set_max_background_jobs(i32);
    set_paranoid_checks(bool);
    set_wal_recovery_mode(DBRecoveryMode);
    set_max_total_wal_size(u64);
    set_bytes_per_sync(u64);
    set_wal_bytes_per_sync(u64);
    set_max_open_files(i32);
    set_log_level(LogLevel);
    set_info_logger(InfoLogger);
    set_block_based_table_factory(&BlockBasedOptions);
    set_atomic_flush(bool);
    set_max_write_buffer_number(i32);
    set_level_compaction_dynamic_level_bytes(bool);
    set_compression_type(DBCompressionType);
    set_bottommost_compression_type(DBCompressionType);
});

ignored!(BlockBasedOptions {
    set_block_cache(&Cache);
    set_format_version(i32);
    set_cache_index_and_filter_blocks(bool);
    set_pin_l0_filter_and_index_blocks_in_cache(bool);
    set_index_type(BlockBasedIndexType);
    set_partition_filters(bool);
    set_metadata_block_size(usize);
    set_pin_top_level_index_and_filter(bool);
    set_block_size(usize);
    set_bloom_filter(f64, bool);
});

/// As `rocksdb::BlockBasedIndexType`.
#[derive(Clone, Copy, Debug)]
pub enum BlockBasedIndexType {
    /// As in `rocksdb`.
    TwoLevelIndexSearch,
}

/// As `rocksdb::DBCompressionType`.
#[derive(Clone, Copy, Debug)]
pub enum DBCompressionType {
    /// As in `rocksdb`.
    Lz4,
    /// As in `rocksdb`.
    Zstd,
}

/// As `rocksdb::DBRecoveryMode`.
#[derive(Clone, Copy, Debug)]
pub enum DBRecoveryMode {
    /// As in `rocksdb`.
    PointInTime,
    /// As in `rocksdb`.
    TolerateCorruptedTailRecords,
    /// As in `rocksdb`.
    AbsoluteConsistency,
}

/// As `rocksdb::LogLevel`.
#[derive(Clone, Copy, Debug)]
pub enum LogLevel {
    /// As in `rocksdb`.
    Warn,
    /// As in `rocksdb`.
    Error,
    /// As in `rocksdb`.
    Fatal,
}

/// As `rocksdb::InfoLogger`. Nothing happens here that nobody waits for, so it has nothing to say.
#[derive(Debug)]
pub struct InfoLogger;

impl InfoLogger {
    /// As in `rocksdb`.
    pub fn new_callback_logger<F: Fn(LogLevel, &str) + Sync + Send + 'static>(_level: LogLevel, _said: F) -> Self {
        Self
    }
}
