//! What the operator's command reads and changes: the tables of this crate in one service's database, and the bus.
//!
//! No service calls these functions. Those that take a connection fail with the database's error, those that take
//! a [`Broker`](crate::Broker) with the broker's.

mod announcements;
mod audit;
mod bus;
mod chains;
mod groups;
mod outbox;
mod parked;
mod receptions;
mod server;

pub use crate::topology::Depth;
pub use announcements::{Request, announce, announced};
pub use audit::{Actor, AuditFilter, AuditRow, Deed, audit, record};
pub use bus::{depths, publish, watch};
pub use chains::{Chain, ChainEvent, chains_of, events_of_chain};
pub use groups::{ParkedGroup, parked_groups};
pub use outbox::{
    Backlog, Published, PublishedPage, Unpublished, backlog, count_unpublished, missed, now,
    publish_again, published, published_before, retry_unroutable, unpublished,
};
pub use parked::{
    Expiring, ParkedFilter, Retried, body, discard, expiring, parked, replay, retried, undo,
    unmasked,
};
pub use receptions::{InboxEntry, Named, ParkedState, parked_states, received};
pub use server::{HeldLock, held_locks, server_version};
