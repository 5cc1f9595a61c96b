//! Valid values and pure rules: a value that exists is valid.

pub(crate) mod email;
mod link_secret;
pub(crate) mod password;
pub(crate) mod person;
mod refresh_token;

pub(crate) use email::Email;
pub(crate) use link_secret::LinkSecret;
pub(crate) use password::Password;
pub(crate) use person::{Locale, PersonName, Phone};
pub(crate) use refresh_token::RefreshToken;

use events::{Role, UserId};
use uuid::Uuid;

/// Links a user to a profile, or removes the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProfileLink {
    /// The user.
    pub user_id: UserId,
    /// The role that the profile is of.
    pub role: Role,
    /// The user's profile; `None` after its deletion.
    pub profile_id: Option<Uuid>,
    /// The version of the profile.
    pub version: i64,
}
