//! Real mails to a mail server of the test, from a real database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod fixture;
mod keeping;
mod links;
mod sending;
