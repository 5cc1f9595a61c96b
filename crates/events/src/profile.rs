//! What profile-service publishes.

use crate::{EncadrantId, Event, StudentId, UserId, text_or_empty};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A student's profile was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudentCreated {
    /// The new profile.
    pub student_id: StudentId,
    /// The user it belongs to.
    pub user_id: UserId,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub first_name: String,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub last_name: String,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub email: String,
}

impl Event for StudentCreated {
    const KEY: &'static str = "student.created";

    fn aggregate_id(&self) -> Uuid {
        self.student_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            student_id: Uuid::from_u128(0x019ab3c1_5b10_7d21_9a44_6c0f2e8b4a13).into(),
            user_id: Uuid::from_u128(0x019ab3c1_5a2e_7c40_8f1d_3b5e7a9c1d02).into(),
            first_name: "John".into(),
            last_name: "Doe".into(),
            email: "john.doe@example.com".into(),
        }
    }
}

/// An encadrant's profile was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncadrantCreated {
    /// The new profile.
    pub encadrant_id: EncadrantId,
    /// The user it belongs to.
    pub user_id: UserId,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub first_name: String,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub last_name: String,
    /// The medical specialty; always present on the wire, `null` until known.
    #[serde(default)]
    pub specialization: Option<String>,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub email: String,
}

impl Event for EncadrantCreated {
    const KEY: &'static str = "encadrant.created";

    fn aggregate_id(&self) -> Uuid {
        self.encadrant_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            encadrant_id: Uuid::from_u128(0x019ab3c1_5c87_7e35_b2c6_1d4f8a0e9b24).into(),
            user_id: Uuid::from_u128(0x019ab3c1_5be1_7f03_8d72_9e5a3c6b0f35).into(),
            first_name: "Dr. Smith".into(),
            last_name: "Johnson".into(),
            specialization: Some("Cardiology".into()),
            email: "dr.johnson@example.com".into(),
        }
    }
}
