//! Valid values and pure rules: the notifications and their texts.

mod internships;
pub(crate) mod kinds;
mod language;
pub(crate) mod texts;

pub(crate) use internships::AboutStudent;
pub(crate) use language::Language;

use chrono::{DateTime, Utc};
use events::{
    Event as _, EventId, Role, StudentId, UserId,
    profile::{EncadrantCreated, StudentCreated},
};
use serde_json::{Value, json};
use texts::{Arguments, Text};
use uuid::Uuid;

/// A user who receives notifications.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient {
    /// The user.
    pub user_id: UserId,
    /// The user's profile, when it is known to be a student's.
    pub student_id: Option<StudentId>,
    /// What the event is that names the user.
    pub standing: Standing,
    /// The language of the user, when the event says one that texts exist in.
    pub language: Option<Language>,
}

/// What an event about a recipient may do. The order is that of [`Standing::rank`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its publisher counts no versions: it cannot erase a recipient whom a publisher with versions describes.
    Unversioned,
    /// The version of the recipient's profile.
    Version(i64),
    /// The user is deleted, or an operator had the deletion replayed: nothing comes after it.
    Last,
}

impl Standing {
    /// As it is stored.
    pub(crate) fn rank(self) -> i64 {
        match self {
            Standing::Unversioned => 0,
            Standing::Version(version) => version,
            Standing::Last => i64::MAX,
        }
    }
}

impl Recipient {
    /// A user who is a student.
    pub(crate) fn student(user_id: UserId, student_id: StudentId, standing: Standing) -> Self {
        Self {
            user_id,
            student_id: Some(student_id),
            standing,
            language: None,
        }
    }

    /// Any other user.
    pub(crate) fn user(user_id: UserId, standing: Standing) -> Self {
        Self {
            user_id,
            student_id: None,
            standing,
            language: None,
        }
    }

    /// The same user, with the language that an event says.
    pub(crate) fn with_locale(self, locale: Option<&str>) -> Self {
        Self {
            language: locale.and_then(Language::of),
            ..self
        }
    }
}

/// What a notification says, and the object that it is about.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// Which text it is. A user gets one notification for each kind and event.
    pub kind: &'static str,
    /// The arguments of the text.
    pub arguments: Arguments,
    /// The type of the object that it is about.
    pub related_object_type: &'static str,
    /// The id of that object.
    pub related_object_id: Uuid,
    /// For programs.
    pub metadata: Value,
}

/// A notification to be written.
#[derive(Clone, Debug)]
pub(crate) struct NewNotification {
    /// Its id.
    pub id: Uuid,
    /// The recipient.
    pub user_id: UserId,
    /// The event that led to it.
    pub source_event: EventId,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The text.
    pub notice: Notice,
}

/// A notification that an administrator writes.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    /// Its id.
    pub id: Uuid,
    /// The recipient.
    pub user_id: UserId,
    /// Which text it is.
    pub kind: &'static str,
    /// One line.
    pub title: String,
    /// The text.
    pub content: String,
    /// The type of the object that it is about.
    pub related_object_type: Option<String>,
    /// The id of that object.
    pub related_object_id: Option<Uuid>,
    /// For programs.
    pub metadata: Value,
}

/// What a user does with a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Read,
    Unread,
    Archive,
    Unarchive,
    Delete,
    Restore,
}

impl Change {
    /// As the statement that changes notifications knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Change::Read => "read",
            Change::Unread => "unread",
            Change::Archive => "archive",
            Change::Unarchive => "unarchive",
            Change::Delete => "delete",
            Change::Restore => "restore",
        }
    }
}

/// The kind of the notification that a new profile gets.
pub(crate) const WELCOME: &str = "welcome";

impl Notice {
    /// The text in English, which a row stores too: for readers that know no languages.
    pub(crate) fn english(&self) -> Text {
        texts::render(self.kind, &self.arguments, Language::English)
            .expect("the tests render each kind")
    }
}

/// The welcome of a student.
pub(crate) fn student_welcome(student: &StudentCreated) -> Notice {
    Notice {
        kind: WELCOME,
        arguments: Arguments::welcome(Role::Student, &student.first_name, &student.last_name),
        related_object_type: "student",
        related_object_id: student.student_id.as_uuid(),
        metadata: json!({"student_id": student.student_id, "event": StudentCreated::KEY}),
    }
}

/// The welcome of an encadrant.
pub(crate) fn encadrant_welcome(encadrant: &EncadrantCreated) -> Notice {
    Notice {
        kind: WELCOME,
        arguments: Arguments::welcome(Role::Encadrant, &encadrant.first_name, &encadrant.last_name),
        related_object_type: "encadrant",
        related_object_id: encadrant.encadrant_id.as_uuid(),
        metadata: json!({"encadrant_id": encadrant.encadrant_id, "event": EncadrantCreated::KEY}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn student(first_name: &str, last_name: &str) -> String {
        let (first_name, last_name) = (first_name.into(), last_name.into());
        student_welcome(&StudentCreated {
            first_name,
            last_name,
            ..StudentCreated::sample()
        })
        .english()
        .content
    }

    fn encadrant(first_name: &str, last_name: &str) -> String {
        let (first_name, last_name) = (first_name.into(), last_name.into());
        encadrant_welcome(&EncadrantCreated {
            first_name,
            last_name,
            ..EncadrantCreated::sample()
        })
        .english()
        .content
    }

    #[test]
    fn the_welcome_has_the_documented_text() {
        assert_eq!(
            student("John", "Doe"),
            "Hello John Doe! Your student profile has been created successfully."
        );
        assert_eq!(
            encadrant("Smith", "Johnson"),
            "Hello Dr. Johnson! Your encadrant profile has been created. \
             You can now supervise students during their internships."
        );
    }

    #[test]
    fn a_missing_name_leaves_no_hole() {
        assert_eq!(
            student("", ""),
            "Hello Student! Your student profile has been created successfully."
        );
        assert_eq!(
            student("", "Doe"),
            "Hello Student Doe! Your student profile has been created successfully."
        );
        assert!(encadrant("Anna", "").starts_with("Hello Anna! "));
        assert!(encadrant("", " ").starts_with("Hello Encadrant! "));
    }
}
