//! Valid values and pure rules.

use events::UserId;

/// A person, as profile-service knows one from the account.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The account.
    pub user_id: UserId,
    /// In lower case.
    pub email: String,
    /// Empty when not known.
    pub first_name: String,
    /// Empty when not known.
    pub last_name: String,
    /// As the user wrote it.
    pub phone: Option<String>,
}
