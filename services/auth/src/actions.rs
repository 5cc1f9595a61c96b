//! State changes: rows and their events, on a borrowed transaction.

pub(crate) mod admin;
pub(crate) mod announce;
pub(crate) mod keys;
pub(crate) mod links;
pub(crate) mod mails;
pub(crate) mod sessions;
pub(crate) mod users;
