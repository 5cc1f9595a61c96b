//! The house rules of ARCHITECTURE.md, checked by reading the sources. Each message says what to do instead.

mod crates;
mod dependencies;
mod deployment;
mod documents;
mod files;
mod migrations;
mod names;
mod services;
mod settings;
mod source;
