//! SQL over this service's own tables.

pub mod encadrants;
pub mod people;
pub mod students;
pub mod users;

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
