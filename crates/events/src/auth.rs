//! What auth-service publishes.

use crate::{Event, Role, UserId, text_or_empty};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A user registered, or was created by an administrator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// When the account was made.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// As the user wrote it.
    #[serde(default)]
    pub phone: Option<String>,
    /// The language of texts for this user, such as `en` or `fr`.
    #[serde(default)]
    pub locale: Option<String>,
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
        }
    }
}
