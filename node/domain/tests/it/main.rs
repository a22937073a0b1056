//! What customers of the core can rely on, told as operations and their answers; one module per noun, and a model test
//! over random operations.

mod asset;
mod commands;
mod cursor;
mod device;
mod discovery;
mod edge;
mod edge_play;
mod edge_session;
mod import;
mod memory;
mod model;
mod module;
mod namespace;
mod node;
mod policy;
mod restored;
mod retention;
mod saved_query;
mod site;
mod token;
mod twin;
