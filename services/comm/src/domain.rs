//! Valid values and pure rules: what users are told, in words.

mod internships;

pub use internships::AboutStudent;

use events::{
    Event as _, EventId, StudentId, UserId,
    profile::{EncadrantCreated, StudentCreated},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A user, and the student that the user is, where that is known.
pub type Recipient = (UserId, Option<StudentId>);

/// A text, and what it is about.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Which text it is; with the user and the event it is told once.
    pub kind: &'static str,
    /// One line.
    pub title: &'static str,
    /// The text.
    pub content: String,
    /// What it is about.
    pub related_object_type: &'static str,
    /// The id of what it is about.
    pub related_object_id: Uuid,
    /// For programs.
    pub metadata: Value,
}

/// A notification to be written.
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// Who is told.
    pub user_id: UserId,
    /// The event that led to it.
    pub source_event: EventId,
    /// What is told.
    pub notice: Notice,
}

/// The kind of the one notification that a new profile gets.
pub const WELCOME: &str = "welcome";

/// Greets a student.
pub fn student_welcome(student: &StudentCreated) -> Notice {
    let name = full_name(&student.first_name, &student.last_name, "Student");
    Notice {
        kind: WELCOME,
        title: "Welcome to MedTrack!",
        content: format!("Hello {name}! Your student profile has been created successfully."),
        related_object_type: "student",
        related_object_id: student.student_id.as_uuid(),
        metadata: json!({"student_id": student.student_id, "event": StudentCreated::KEY}),
    }
}

/// Greets an encadrant.
pub fn encadrant_welcome(encadrant: &EncadrantCreated) -> Notice {
    // Without a last name the title would stand alone.
    let name = match encadrant.last_name.trim() {
        "" => full_name(&encadrant.first_name, "", "Encadrant"),
        last_name => format!("Dr. {last_name}"),
    };
    Notice {
        kind: WELCOME,
        title: "Welcome as Encadrant!",
        content: format!(
            "Hello {name}! Your encadrant profile has been created. \
             You can now supervise students during their internships."
        ),
        related_object_type: "encadrant",
        related_object_id: encadrant.encadrant_id.as_uuid(),
        metadata: json!({"encadrant_id": encadrant.encadrant_id, "event": EncadrantCreated::KEY}),
    }
}

fn full_name(first_name: &str, last_name: &str, unknown: &str) -> String {
    let first_name = match first_name.trim() {
        "" => unknown,
        first_name => first_name,
    };
    format!("{first_name} {}", last_name.trim())
        .trim_end()
        .to_owned()
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
        .content
    }

    fn encadrant(first_name: &str, last_name: &str) -> String {
        let (first_name, last_name) = (first_name.into(), last_name.into());
        encadrant_welcome(&EncadrantCreated {
            first_name,
            last_name,
            ..EncadrantCreated::sample()
        })
        .content
    }

    #[test]
    fn the_welcome_is_to_the_letter() {
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
