//! SQL over this service's own tables.

pub mod accounts;
pub mod encadrants;
pub mod people;
pub mod students;
