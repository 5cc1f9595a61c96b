//! The three kinds of user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The role of a user. It is written in lower case on the wire and in the databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An intern.
    Student,
    /// A supervisor of interns.
    Encadrant,
    /// An administrator; has no profile and cannot register.
    Admin,
}

impl Role {
    /// All roles, in the order in which they are shown to people.
    pub const ALL: [Role; 3] = [Role::Student, Role::Encadrant, Role::Admin];

    /// The word used on the wire and in the databases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Student => "student",
            Role::Encadrant => "encadrant",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not one of the three words.
#[derive(Debug, thiserror::Error)]
#[error("unknown role; use one of: student, encadrant, admin")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    /// Exact words only: `ADMIN`, `admin ` and look-alike letters are unknown.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole)
    }
}
