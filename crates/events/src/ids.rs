//! Typed ids: the compiler refuses a student's id where a user's id is expected.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id: UUIDv7, so that a later id sorts after an earlier one.
            #[expect(clippy::new_without_default, reason = "a default value must be the same each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Returns the UUID, for SQL and for the wire.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

typed_ids! {
    /// A user of auth-service; the subject of a token.
    UserId;
    /// A student's profile of profile-service.
    StudentId;
    /// An encadrant's (supervisor's) profile of profile-service.
    EncadrantId;
    /// An establishment of profile-service.
    EstablishmentId;
    /// A hospital service (a department of an establishment) of profile-service.
    ServiceId;
    /// An internship ("stage") of the system that manages internships.
    StageId;
    /// An offer of an internship.
    OfferId;
    /// An evaluation of an internship.
    EvaluationId;
    /// One event. The same event keeps its id however often it is delivered or replayed.
    EventId;
}

impl EventId {
    /// Returns the id of the event that `cause` causes. It is derived, so that handling `cause` again cannot make a second
    /// event.
    pub fn caused_by(cause: EventId, key: &str, aggregate_id: Uuid) -> Self {
        Self(Uuid::new_v5(
            &cause.0,
            format!("{key}/{aggregate_id}").as_bytes(),
        ))
    }

    /// Returns the id of the event that announces a version of an aggregate again. It is derived, so that two
    /// announcements of one state are one event.
    pub fn announced(aggregate_id: Uuid, version: i64, key: &str) -> Self {
        Self(Uuid::new_v5(
            &aggregate_id,
            format!("announced/{version}/{key}").as_bytes(),
        ))
    }

    /// Returns the id of a foreign publisher's event: a publisher may use one id under two keys, such as the id of the
    /// request that caused both events.
    pub fn under(self, routing_key: &str) -> Self {
        Self(Uuid::new_v5(&self.0, routing_key.as_bytes()))
    }
}
