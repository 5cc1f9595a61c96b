//! The exchange, and every queue of the system with its patterns.
//!
//! They are named here only. Every process declares all of them at start, so that an event that is published before a
//! consumer's first start waits in its queue.

use crate::key;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The durable topic exchange that every event is published to.
pub const EXCHANGE: &str = "events.topic";

/// How often a message may be returned to its queue, by crashes of its consumer, before it is set aside in
/// the queue's `.crashed` queue. It is the default of RabbitMQ 4.x, named here so that 3.x behaves in the same way.
pub const DELIVERY_LIMIT: u32 = 20;

/// One of MedTrack's services. Every name that is derived from its short name stands here.
#[derive(Debug)]
pub struct Service {
    /// The short name: `auth`. The prefix of its HTTP paths and of its units.
    pub short: &'static str,
    /// The name of its program, its API process and its events' `_meta.source`: `auth-service`.
    pub name: &'static str,
    /// Its PostgreSQL database: `auth_db`.
    pub database: &'static str,
    /// The PostgreSQL role that owns the database: `auth_service`.
    pub role: &'static str,
    /// The queue that its consumer reads.
    pub queue: Queue,
}

/// The queue of a service.
#[derive(Debug)]
pub struct Queue {
    /// The queue's name on the broker.
    pub name: &'static str,
    /// The queue of the messages that crashed their consumer [`DELIVERY_LIMIT`] times.
    pub crashed: &'static str,
    /// The topic patterns that bind it to [`EXCHANGE`].
    pub patterns: &'static [&'static str],
}

macro_rules! service {
    ($short:literal, $patterns:expr) => {
        Service {
            short: $short,
            name: concat!($short, "-service"),
            database: concat!($short, "_db"),
            role: concat!($short, "_service"),
            queue: Queue {
                name: concat!($short, ".events"),
                crashed: concat!($short, ".events.crashed"),
                patterns: $patterns,
            },
        }
    };
}

/// auth-service; it receives the profile that was created for a user.
pub static AUTH: Service = service!(
    "auth",
    &[
        "student.created",
        "student.deleted",
        "encadrant.created",
        "encadrant.deleted"
    ]
);

/// profile-service; it receives every event about users and their sessions.
pub static PROFILE: Service = service!("profile", &["auth.user.*", "auth.session.revoked"]);

/// comm-service; it receives every event that may become a notification.
pub static COMM: Service = service!(
    "comm",
    &[
        "student.*",
        "encadrant.*",
        "stage.*",
        "evaluation.*",
        "grade.*",
        "auth.user.deleted",
        "auth.session.revoked"
    ]
);

/// Every service of the system. All names of a service elsewhere derive from this list.
pub static SERVICES: [&Service; 3] = [&AUTH, &PROFILE, &COMM];

/// Every queue of the system.
pub fn queues() -> impl Iterator<Item = &'static Queue> {
    SERVICES.iter().map(|service| &service.queue)
}

/// Whether a queue receives events with this routing key.
pub fn is_routed(routing_key: &str) -> bool {
    queues()
        .flat_map(|queue| queue.patterns)
        .any(|pattern| key::matches(pattern, routing_key))
}

/// One process of a stack that the launcher runs. The launcher writes their list to `.medtrack/units.json`,
/// and the operator's command reads it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The name of the process: `comm-consumer-2`, `rabbitmq`.
    pub unit: String,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// Whether it runs.
    pub state: UnitState,
    /// How often it was started again.
    pub restarts: u32,
    /// When it was started again, oldest first; at most the last [`Unit::RESTARTS`] times.
    pub restarted_at: Vec<DateTime<Utc>>,
    /// The ends that no person asked for since a person last started it, oldest first; at most the last
    /// [`Unit::RESTARTS`].
    #[serde(default)]
    pub crashes: Vec<Crash>,
    /// Where it listens, as host and port.
    pub address: String,
    /// Where a service's process answers about its health and its metrics, as host and port.
    pub internal_address: Option<String>,
}

impl Unit {
    /// How many times of restarts, and how many crashes, are kept.
    pub const RESTARTS: usize = 20;
}

/// The end of a process that no person asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How it ended, in words: `killed (signal 9)`, `exited with code 1`.
    pub how: String,
}

/// Whether a unit runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// The process is alive.
    Running,
    /// The process has ended, and the launcher starts it again.
    Crashed,
    /// A person has stopped it.
    Stopped,
}

impl UnitState {
    /// The state as it is written: `running`.
    pub fn as_str(self) -> &'static str {
        match self {
            UnitState::Running => "running",
            UnitState::Crashed => "crashed",
            UnitState::Stopped => "stopped",
        }
    }
}
