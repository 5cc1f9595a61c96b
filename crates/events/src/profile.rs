//! The events that profile-service publishes.

use crate::{EncadrantId, Event, StudentId, UserId, text_or_empty};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A student's profile was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The language of texts for the user, such as `en`, `fr` or `ar`; missing when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
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
            locale: Some("en".into()),
        }
    }
}

/// A student's profile changed: one event for each change, with the whole profile after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StudentUpdated {
    /// The profile.
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
    /// The language of texts for the user, such as `en`, `fr` or `ar`; missing when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// False: the user has another role now, and the profile counts no more; missing when the publisher does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// The names of the fields that changed.
    #[serde(default, alias = "updated_fields")]
    pub changes: Vec<String>,
}

impl Event for StudentUpdated {
    const KEY: &'static str = "student.updated";

    fn aggregate_id(&self) -> Uuid {
        self.student_id.as_uuid()
    }

    fn sample() -> Self {
        let student = StudentCreated::sample();
        Self {
            student_id: student.student_id,
            user_id: student.user_id,
            first_name: "Johnny".into(),
            last_name: student.last_name,
            email: student.email,
            locale: student.locale,
            is_active: Some(true),
            changes: vec!["first_name".into()],
        }
    }
}

/// A student's profile was deleted. A service that stores data about it erases it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StudentDeleted {
    /// The deleted profile.
    pub student_id: StudentId,
    /// The user it belonged to.
    pub user_id: UserId,
}

impl Event for StudentDeleted {
    const KEY: &'static str = "student.deleted";

    fn aggregate_id(&self) -> Uuid {
        self.student_id.as_uuid()
    }

    fn sample() -> Self {
        let student = StudentCreated::sample();
        Self {
            student_id: student.student_id,
            user_id: student.user_id,
        }
    }
}

/// An encadrant's profile was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The medical specialty; always present on the wire, `null` while unknown.
    #[serde(default, alias = "speciality", alias = "specialty")]
    pub specialization: Option<String>,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub email: String,
    /// The language of texts for the user, such as `en`, `fr` or `ar`; missing when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
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
            locale: Some("fr".into()),
        }
    }
}

/// An encadrant's profile changed: one event for each change, with the whole profile after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EncadrantUpdated {
    /// The profile.
    pub encadrant_id: EncadrantId,
    /// The user it belongs to.
    pub user_id: UserId,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub first_name: String,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub last_name: String,
    /// The medical specialty; always present on the wire, `null` while unknown.
    #[serde(default, alias = "speciality", alias = "specialty")]
    pub specialization: Option<String>,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub email: String,
    /// The language of texts for the user, such as `en`, `fr` or `ar`; missing when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// False: the user has another role now, and the profile counts no more; missing when the publisher does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// The names of the fields that changed.
    #[serde(default, alias = "updated_fields")]
    pub changes: Vec<String>,
}

impl Event for EncadrantUpdated {
    const KEY: &'static str = "encadrant.updated";

    fn aggregate_id(&self) -> Uuid {
        self.encadrant_id.as_uuid()
    }

    fn sample() -> Self {
        let encadrant = EncadrantCreated::sample();
        Self {
            encadrant_id: encadrant.encadrant_id,
            user_id: encadrant.user_id,
            first_name: "Johnny".into(),
            last_name: encadrant.last_name,
            specialization: encadrant.specialization,
            email: encadrant.email,
            locale: encadrant.locale,
            is_active: Some(true),
            changes: vec!["first_name".into()],
        }
    }
}

/// An encadrant's profile was deleted. A service that stores data about it erases it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EncadrantDeleted {
    /// The deleted profile.
    pub encadrant_id: EncadrantId,
    /// The user it belonged to.
    pub user_id: UserId,
}

impl Event for EncadrantDeleted {
    const KEY: &'static str = "encadrant.deleted";

    fn aggregate_id(&self) -> Uuid {
        self.encadrant_id.as_uuid()
    }

    fn sample() -> Self {
        let encadrant = EncadrantCreated::sample();
        Self {
            encadrant_id: encadrant.encadrant_id,
            user_id: encadrant.user_id,
        }
    }
}
