//! The frame, with real connections, databases and processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod app;
mod database;
mod http;
mod internal;
mod limits;
mod process;
mod tokens;
