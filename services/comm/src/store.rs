//! SQL over this service's own tables.

pub mod notifications;
pub mod recipients;
