//! Valid values and pure rules: a value that exists is valid.

pub mod email;
pub mod password;
pub mod person;

pub use email::Email;
pub use password::Password;
pub use person::{Locale, PersonName, Phone};

use events::UserId;
use uuid::Uuid;

/// That an account has a profile, or has it no more.
#[derive(Clone, Copy, Debug)]
pub struct ProfileLink {
    /// The account.
    pub user_id: UserId,
    /// Its profile.
    pub profile_id: Option<Uuid>,
    /// The version of the profile that says so.
    pub version: i64,
}
