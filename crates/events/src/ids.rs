//! Typed ids: a student's id is never passed where a user's is meant.

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
            /// A new id: UUIDv7, so that ids made later sort later.
            #[expect(clippy::new_without_default, reason = "a default id would be a surprise")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID, for SQL and for the wire.
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
    /// A user account, as auth-service knows it. The subject of a token.
    UserId;
    /// A student profile, as profile-service knows it.
    StudentId;
    /// An encadrant (supervisor) profile, as profile-service knows it.
    EncadrantId;
    /// An internship ("stage"), as the system that manages internships knows it.
    StageId;
    /// An offer of an internship.
    OfferId;
    /// An evaluation of an internship.
    EvaluationId;
    /// One event. The same event keeps its id however often it is delivered or replayed.
    EventId;
}

impl EventId {
    /// The id of the event that `cause` leads to: handling `cause` again cannot mint a second one.
    pub fn caused_by(cause: EventId, key: &str, aggregate_id: Uuid) -> Self {
        Self(Uuid::new_v5(
            &cause.0,
            format!("{key}/{aggregate_id}").as_bytes(),
        ))
    }
}
