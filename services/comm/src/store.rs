//! SQL over this service's own tables.

pub mod notifications;
pub mod recipients;

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
