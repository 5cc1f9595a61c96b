//! The events that auth-service publishes.

use crate::{Event, Role, UserId, text_or_empty};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// A user registered, or was created by an administrator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UserCreated {
    /// The new user.
    pub user_id: UserId,
    /// In lower case; unique among users.
    pub email: String,
    /// Empty when not given.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub first_name: String,
    /// Empty when not given.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub last_name: String,
    /// Decides which profile is made; an admin gets none.
    pub role: Role,
    /// The time of the registration.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// As the user wrote it.
    #[serde(default)]
    pub phone: Option<String>,
    /// The language of texts for this user, such as `en`, `fr` or `ar`.
    #[serde(default)]
    pub locale: Option<String>,
    /// Whether the user has shown that the e-mail is the own; missing when the publisher does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
}

impl Event for UserCreated {
    const KEY: &'static str = "auth.user.created";

    fn aggregate_id(&self) -> Uuid {
        self.user_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            user_id: Uuid::from_u128(0x019ab3c1_5a2e_7c40_8f1d_3b5e7a9c1d02).into(),
            email: "john.doe@example.com".into(),
            first_name: "John".into(),
            last_name: "Doe".into(),
            role: Role::Student,
            created_at: DateTime::from_timestamp(1_765_654_022, 0),
            phone: Some("+33 6 12 34 56 78".into()),
            locale: Some("en".into()),
            email_verified: Some(false),
        }
    }
}

/// A user changed: one event for each change, with the whole user after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UserUpdated {
    /// The user.
    pub user_id: UserId,
    /// In lower case; unique among users.
    pub email: String,
    /// Empty when the user has none; missing when the publisher does not say.
    #[serde(default)]
    pub first_name: Option<String>,
    /// Empty when the user has none; missing when the publisher does not say.
    #[serde(default)]
    pub last_name: Option<String>,
    /// `null` when the user has none. When it is missing, the publisher does not say, and the phone stays as it is.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "null_or_value"
    )]
    pub phone: Option<Option<String>>,
    /// The role of the user.
    #[serde(default)]
    pub role: Option<Role>,
    /// The language of texts for this user, such as `en`, `fr` or `ar`.
    #[serde(default)]
    pub locale: Option<String>,
    /// False: the user cannot log in; missing when the publisher does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Whether the user has shown that the e-mail is the own; missing when the publisher does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// The names of the fields that changed.
    #[serde(default, alias = "changed_fields")]
    pub changes: Vec<String>,
}

impl Event for UserUpdated {
    const KEY: &'static str = "auth.user.updated";

    fn aggregate_id(&self) -> Uuid {
        self.user_id.as_uuid()
    }

    fn sample() -> Self {
        let user = UserCreated::sample();
        Self {
            user_id: user.user_id,
            email: user.email,
            first_name: Some("Johnny".into()),
            last_name: Some(user.last_name),
            phone: Some(user.phone),
            role: Some(user.role),
            locale: user.locale,
            is_active: Some(true),
            email_verified: Some(false),
            changes: vec!["first_name".into()],
        }
    }
}

/// An administrator gave a user another role. It replaces [`UserUpdated`] for that change, and has the same fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UserRoleChanged {
    /// The user after the change, with all fields that changed.
    #[serde(flatten)]
    pub user: UserUpdated,
    /// The role before the change.
    pub old_role: Role,
    /// The role after the change.
    pub new_role: Role,
}

impl Event for UserRoleChanged {
    const KEY: &'static str = "auth.user.role_changed";

    fn aggregate_id(&self) -> Uuid {
        self.user.aggregate_id()
    }

    fn sample() -> Self {
        let user = UserUpdated {
            role: Some(Role::Encadrant),
            changes: vec!["role".into()],
            ..UserUpdated::sample()
        };
        Self {
            user,
            old_role: Role::Student,
            new_role: Role::Encadrant,
        }
    }
}

/// A session of a user ended before its time, or all sessions that had begun until then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRevoked {
    /// The user.
    pub user_id: UserId,
    /// The session; `null` for all sessions of the user that began before the time of the event.
    #[serde(default)]
    pub session_id: Option<Uuid>,
}

impl Event for SessionRevoked {
    const KEY: &'static str = "auth.session.revoked";

    fn aggregate_id(&self) -> Uuid {
        self.user_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            user_id: UserCreated::sample().user_id,
            session_id: Some(Uuid::from_u128(0x019ab3c1_5a2f_7c41_8f1d_3b5e7a9c1d03)),
        }
    }
}

/// A user was deleted. A service that stores data about the user erases it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UserDeleted {
    /// The user who was.
    pub user_id: UserId,
    /// The address the user had; empty when the publisher does not say.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub email: String,
}

impl Event for UserDeleted {
    const KEY: &'static str = "auth.user.deleted";

    fn aggregate_id(&self) -> Uuid {
        self.user_id.as_uuid()
    }

    fn sample() -> Self {
        let user = UserCreated::sample();
        Self {
            user_id: user.user_id,
            email: user.email,
        }
    }
}

/// Distinguishes `null` from a missing field.
fn null_or_value<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
