//! SQL over this service's own tables.

pub(crate) mod changes;
pub(crate) mod inboxes;
pub(crate) mod notifications;
pub(crate) mod preferences;
pub(crate) mod purge;
pub(crate) mod recipients;
pub(crate) mod resume;

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
