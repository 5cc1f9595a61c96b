//! State changes: rows and their events, on a borrowed transaction.

pub mod keys;
pub mod sessions;
pub mod users;
