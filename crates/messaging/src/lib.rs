//! The post fixture: what happens to an event between the row that it announces and the handler that hears it.
//!
//! # The life of an event
//!
//! ```text
//! an action        writes rows and the event in one Transaction            outbox    ── commit
//! the hand-over    gives the committed event to the relay, in memory       outbox
//! the relay        publishes, awaits the confirm, marks it published       relay
//! the exchange     copies it into every queue that wants it                topology
//! the consumer     takes what has arrived as one batch                     consumer
//! the batch        inbox ids, handlers, their own events: one Transaction  batch     ── commit, then ack
//! the parked       hold what could not be handled: waiting, or dead        parked
//! ```
//!
//! # What is guaranteed, and where
//!
//! - *No event for a change that did not commit, no change without its event*: both are rows of one
//!   transaction ([`Transaction::enqueue`]).
//! - *Nothing published is lost*: a row counts as published only after the broker confirmed it and did not
//!   return it; until then the sweep tries again, for ever ([`Relay`]).
//! - *Nothing is handled twice*: the inbox id stands in the transaction of the effect (`inbox`).
//! - *Nothing delivered is lost*: a delivery is acknowledged only after that commit ([`Consumer`]).
//! - *One bad message stops nothing*: a failing batch is taken apart until only the culprit is parked
//!   (`dispatch`), and a message that kills the process raises only its own count ([`Consumer`]).
//! - *Nothing is silently dropped*: what is not done is a row with a reason ([`parked`]).
//!
//! Every hand-over is at-least-once; every effect is once. Order is never relied on: events carry the
//! version of what they describe, and each service's store compares it.

pub mod admin;
mod broker;
mod config;
mod consumer;
mod dispatch;
mod failure;
mod handlers;
mod housekeeping;
mod inbox;
mod outbox;
pub mod parked;
mod relay;
mod status;
pub mod topology;

pub use broker::{Broker, BrokerError};
pub use config::{BrokerConfig, ConfigError};
pub use consumer::Consumer;
pub use failure::Failure;
pub use handlers::{Handlers, Message};
pub use outbox::{Cause, EnqueueError, NewEvent, Outbox, Transaction, outbox};
pub use relay::Relay;
pub use status::Status;

/// The tables of this crate. Every service database holds them, beside the service's own.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
