//! SQL over this service's own tables.

pub mod keys;
pub mod logins;
pub mod sessions;
pub mod users;

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
