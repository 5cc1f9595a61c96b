//! Valid values and pure rules.

mod establishments;
mod fields;
mod state;

pub(crate) use establishments::{
    EstablishmentChange, EstablishmentFields, ServiceChange, ServiceFields,
};
pub(crate) use fields::{EncadrantChange, EncadrantFields, Numbers, StudentChange, StudentFields};
pub(crate) use state::{Decision, Order, Stamp, Stamps, UserState};

use events::{Role, UserId};
use uuid::Uuid;

/// Returns the id of the profile that a user's creation makes. It is derived, so that the same event makes the same
/// profile again in a database that was restored, and with it the same `student.created`.
pub(crate) fn profile_id(user_id: UserId, role: Role) -> Uuid {
    Uuid::new_v5(&user_id.as_uuid(), role.as_str().as_bytes())
}

/// A person, as the user's events describe one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    /// The user.
    pub user_id: UserId,
    /// In lower case.
    pub email: String,
    /// Empty when unknown.
    pub first_name: String,
    /// Empty when unknown.
    pub last_name: String,
    /// As the user wrote it.
    pub phone: Option<String>,
    /// The language of texts for the user, when it is known.
    pub locale: Option<String>,
}

/// A change of a person. A field that is `None` keeps its value.
#[derive(Clone, Debug)]
pub(crate) struct PersonChange {
    /// The user.
    pub user_id: UserId,
    /// In lower case.
    pub email: Option<String>,
    /// Empty when the user removed it.
    pub first_name: Option<String>,
    /// Empty when the user removed it.
    pub last_name: Option<String>,
    /// `Some(None)` when the user removed it.
    pub phone: Option<Option<String>>,
    /// The language of texts for the user.
    pub locale: Option<String>,
    /// Decides which profile counts.
    pub role: Option<Role>,
}

impl PersonChange {
    /// The change that says all fields.
    pub(crate) fn all(person: &Person, role: Role) -> Self {
        Self {
            user_id: person.user_id,
            email: Some(person.email.clone()),
            first_name: Some(person.first_name.clone()),
            last_name: Some(person.last_name.clone()),
            phone: Some(person.phone.clone()),
            locale: person.locale.clone(),
            role: Some(role),
        }
    }
}
