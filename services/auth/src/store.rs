//! SQL over this service's own tables.

pub(crate) mod audit;
pub(crate) mod budgets;
pub(crate) mod keys;
pub(crate) mod link_secrets;
pub(crate) mod logins;
pub(crate) mod search;
pub(crate) mod sessions;
pub(crate) mod unverified;
pub(crate) mod users;

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
