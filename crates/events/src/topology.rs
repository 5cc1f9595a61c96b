//! Where events go: one exchange, and every queue of the system with its patterns.
//!
//! This table is the only place that knows it. Every process declares all of it at start, so an event that
//! is published before a consumer's first start is kept for it.

use crate::key;

/// The durable topic exchange that every event is published to.
pub const EXCHANGE: &str = "events.topic";

/// How often a message may be returned to its queue, by crashes of its consumer, before it is set aside in
/// the queue's `.crashed` replica. The default of RabbitMQ 4.x, named so that 3.x behaves alike.
pub const DELIVERY_LIMIT: u32 = 20;

/// A queue: one per consuming service.
#[derive(Debug)]
pub struct Queue {
    /// The queue's name on the broker.
    pub name: &'static str,
    /// Where messages go that crashed their consumer [`DELIVERY_LIMIT`] times.
    pub crashed: &'static str,
    /// The topic patterns that bind it to [`EXCHANGE`].
    pub patterns: &'static [&'static str],
}

/// What auth-service hears: the profile that was made for a user.
pub static AUTH: Queue = Queue {
    name: "auth.events",
    crashed: "auth.events.crashed",
    patterns: &[
        "student.created",
        "student.deleted",
        "encadrant.created",
        "encadrant.deleted",
    ],
};

/// What profile-service hears: everything about users.
pub static PROFILE: Queue = Queue {
    name: "profile.events",
    crashed: "profile.events.crashed",
    patterns: &["auth.user.*"],
};

/// What comm-service hears: everything that somebody may want to be told.
pub static COMM: Queue = Queue {
    name: "comm.events",
    crashed: "comm.events.crashed",
    patterns: &[
        "student.*",
        "encadrant.*",
        "stage.*",
        "evaluation.*",
        "grade.*",
        "auth.user.deleted",
    ],
};

/// Every queue of the system.
pub static QUEUES: [&Queue; 3] = [&AUTH, &PROFILE, &COMM];

/// Whether some queue wants events with this routing key.
pub fn is_routed(routing_key: &str) -> bool {
    QUEUES
        .iter()
        .flat_map(|queue| queue.patterns)
        .any(|pattern| key::matches(pattern, routing_key))
}
