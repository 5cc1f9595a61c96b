//! SQL over this service's own tables.

pub(crate) mod dashboard;
pub(crate) mod encadrants;
pub(crate) mod establishments;
pub(crate) mod expected;
pub(crate) mod numbers;
pub(crate) mod people;
pub(crate) mod search;
pub(crate) mod services;
pub(crate) mod student_list;
pub(crate) mod students;
pub(crate) mod users;

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
