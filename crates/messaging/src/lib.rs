//! Events between services: everything that happens to an event between the row that announces it and the handler
//! that receives it.
//!
//! # The life of an event
//!
//! ```text
//! an action        writes rows and the event in one Transaction            outbox    ── commit
//! the hand-over    gives the committed event to the relay, in memory       outbox
//! the relay        publishes, awaits the confirm, marks it published       relay
//! the exchange     copies it into every queue whose pattern matches        topology
//! the consumer     takes what has arrived as one batch                     consumer
//! the dispatcher   inbox ids, handlers, their own events: one Transaction  consumer  ── commit, then ack
//! parked events    were not handled: they wait, or are dead                parked
//! ```
//!
//! [`consume`] and [`start_relay`] start these tasks in a process, together with [`Housekeeping`].
//!
//! # What is guaranteed, and where
//!
//! - *No event for a change that did not commit, no change without its event*: both are rows of one
//!   transaction ([`Transaction::enqueue`]).
//! - *No published event is lost*: a row counts as published only after the broker confirmed it and did not
//!   return it; until then the sweep tries again, without a limit ([`Relay`]).
//! - *No event is handled twice*: the inbox id is written in the transaction of the effect (`inbox`).
//! - *No delivery is lost*: a delivery is acknowledged only after that commit ([`Consumer`]).
//! - *One bad message stops no other*: the events of a batch that fails are handled one by one, and only those that
//!   fail are parked; a message that crashes the process raises only its own count ([`Consumer`]).
//! - *No event is dropped silently*: an event that was not handled is a row with a reason ([`parked`]).
//!
//! Every hand-over is at-least-once; every effect is once. No handler relies on the order of events: an event carries
//! the version of its aggregate, and each service's store compares it.

pub mod admin;
mod announcements;
mod broker;
mod cause;
mod config;
mod consumer;
mod failure;
mod floor;
mod handlers;
mod housekeeping;
mod inbox;
mod outbox;
pub mod parked;
mod relay;
mod request_key;
mod revoked;
mod span;
mod start;
mod status;
pub mod topology;

pub use announcements::{Announce, Announcement};
pub use broker::{Broker, BrokerError};
pub use cause::Cause;
pub use config::{BrokerConfig, ConfigError, ConsumeConfig};
pub use consumer::{Consumer, Limits};
pub use failure::Failure;
pub use handlers::{Before, HandlerFn, Handlers, Message, Outcome};
pub use housekeeping::Housekeeping;
pub use outbox::{EnqueueError, NewEvent, Outbox, Transaction, outbox};
pub use relay::Relay;
pub use request_key::{Claim, RequestKey};
pub use revoked::{follow_revocations, on_session_revoked, revoke_deleted};
pub use start::{Consume, consume, start_relay};
pub use status::Status;

/// The tables of this crate. Every service's database holds them, beside the service's own.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");
