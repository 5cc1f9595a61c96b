//! What a mail says: the kinds of mails, with their arguments.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A mail to be sent.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    /// The user whom it is about.
    pub user_id: Uuid,
    /// The e-mail address.
    pub recipient: &'a str,
    /// How the user is greeted: the first name; empty when it is not known. A name that is more than a name, such as an
    /// address of a page, is left out of the mail.
    pub name: &'a str,
    /// The language of the text.
    pub language: Language,
    /// What it says.
    pub content: Content,
}

/// A language that mails are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
    /// Arabic, from right to left.
    Arabic,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::English, Self::French, Self::Arabic];

    /// The language with this code; English for any other code.
    pub fn of(code: &str) -> Self {
        let language = Self::ALL
            .into_iter()
            .find(|language| language.code() == code);
        language.unwrap_or_default()
    }

    /// `en`, `fr` or `ar`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Arabic => "ar",
        }
    }
}

/// What a mail says, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Asks the user to show that the address is the own.
    Verification,
    /// Lets a user who forgot the password set a new one.
    PasswordReset,
    /// Lets a user whom an administrator created set a password.
    SetPassword,
    /// A device logged in that had not done so before.
    NewDevice {
        /// What the device says that it is.
        device: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// The password was changed.
    PasswordChanged {
        /// When.
        at: DateTime<Utc>,
    },
    /// The e-mail was changed. It goes to the old address, with a link that takes the change back.
    EmailChanged {
        /// When.
        at: DateTime<Utc>,
    },
    /// The user will be deleted, because the address was not verified. Its link verifies the address.
    DeletionAhead {
        /// The day of the deletion.
        on: NaiveDate,
    },
}

impl Content {
    /// The kinds, as the rows name them.
    pub(crate) const KINDS: [&'static str; 7] = [
        "verification",
        "password_reset",
        "set_password",
        "new_device",
        "password_changed",
        "email_changed",
        "deletion_ahead",
    ];

    /// The kind, as the row names it.
    pub fn kind(&self) -> &'static str {
        Self::KINDS[match self {
            Self::Verification => 0,
            Self::PasswordReset => 1,
            Self::SetPassword => 2,
            Self::NewDevice { .. } => 3,
            Self::PasswordChanged { .. } => 4,
            Self::EmailChanged { .. } => 5,
            Self::DeletionAhead { .. } => 6,
        }]
    }

    /// What the link of this mail is for, and for how long its secret is valid, as its text says. `None`: the mail has no
    /// link with a secret.
    pub fn purpose(&self) -> Option<(Purpose, TimeDelta)> {
        let purpose = match self {
            Self::Verification => (Purpose::VerifyEmail, TimeDelta::hours(24)),
            Self::DeletionAhead { .. } => (Purpose::VerifyEmail, TimeDelta::days(7)),
            Self::PasswordReset => (Purpose::ResetPassword, TimeDelta::hours(1)),
            Self::SetPassword => (Purpose::ResetPassword, TimeDelta::days(7)),
            Self::EmailChanged { .. } => (Purpose::RestoreEmail, TimeDelta::days(7)),
            Self::NewDevice { .. } | Self::PasswordChanged { .. } => return None,
        };
        Some(purpose)
    }
}

/// What the link of a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `/#/verify/<secret>`: shows that the recipient reads the mails of the address.
    VerifyEmail,
    /// `/#/reset/<secret>`: sets a password.
    ResetPassword,
    /// `/#/restore/<secret>`: makes the recipient's address the e-mail of the user again.
    RestoreEmail,
}

impl Purpose {
    /// How many secrets of one user and purpose are valid at once.
    pub const MOST_LIVE: i64 = 3;

    /// The purpose in one word, as a service may store it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify",
            Self::ResetPassword => "reset",
            Self::RestoreEmail => "restore",
        }
    }
}

/// The link that a secret is drawn for.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The user.
    pub user_id: Uuid,
    /// What it is for.
    pub purpose: Purpose,
    /// The address that the mail goes to.
    pub recipient: &'a str,
    /// For how long the secret is valid.
    pub valid_for: TimeDelta,
}

/// The arguments of a row: what its text says besides.
#[derive(Serialize, Deserialize)]
pub(crate) struct Arguments {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) content: Content,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One mail of each kind.
    pub(crate) fn samples() -> Vec<Content> {
        let at = DateTime::parse_from_rfc3339("2026-11-26T14:05:09Z")
            .unwrap()
            .to_utc();
        let device = "Firefox on Windows".to_owned();
        vec![
            Content::Verification,
            Content::PasswordReset,
            Content::SetPassword,
            Content::NewDevice { device, at },
            Content::PasswordChanged { at },
            Content::EmailChanged { at },
            Content::DeletionAhead {
                on: at.date_naive(),
            },
        ]
    }

    #[test]
    fn a_kind_is_named_as_its_arguments_name_it() {
        let kinds: Vec<_> = samples().iter().map(Content::kind).collect();
        assert_eq!(kinds, Content::KINDS);
        for content in samples() {
            let arguments = serde_json::to_value(Arguments {
                name: "Amina".into(),
                content: content.clone(),
            })
            .unwrap();
            assert_eq!(arguments["kind"], content.kind());
            let read: Arguments = serde_json::from_value(arguments).unwrap();
            assert_eq!((read.name.as_str(), read.content), ("Amina", content));
        }
    }

    #[test]
    fn a_language_that_is_not_known_is_english() {
        assert_eq!(Language::of("ar"), Language::Arabic);
        assert_eq!(Language::of("de"), Language::English);
    }
}
