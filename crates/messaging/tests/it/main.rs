//! Publishing and consuming against a real PostgreSQL and a real RabbitMQ, with the network cut.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backlog;
mod blameless;
mod chains;
mod consuming;
mod faults;
mod fixture;
mod housekeeping;
mod kept;
mod operators;
mod outages;
mod parking;
mod persons;
mod publishing;
mod relay_faults;
mod request_keys;
mod topology;
mod waiting;
