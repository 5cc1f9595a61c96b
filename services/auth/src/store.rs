//! SQL over this service's own tables.

pub mod keys;
pub mod logins;
pub mod sessions;
pub mod users;
