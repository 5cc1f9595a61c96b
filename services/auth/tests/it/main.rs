//! auth-service from outside: the real binary, a real database, a real broker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod operators;
