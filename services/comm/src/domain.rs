//! Valid values and pure rules: what users are told, in words.

use events::{
    EncadrantId, Event as _, EventId, StudentId, UserId,
    profile::{EncadrantCreated, StudentCreated},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A notification to be written.
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// Who is told.
    pub user_id: UserId,
    /// Which text it is; with the user and the event it is told once.
    pub kind: &'static str,
    /// The event that led to it.
    pub source_event: EventId,
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

/// The kind of the one notification that a new profile gets.
pub const WELCOME: &str = "welcome";

/// Greets a student.
pub fn student_welcome(
    source_event: EventId,
    student_id: StudentId,
    user_id: UserId,
    first_name: &str,
    last_name: &str,
) -> NewNotification {
    let name = full_name(first_name, last_name, "Student");
    NewNotification {
        user_id,
        kind: WELCOME,
        source_event,
        title: "Welcome to MedTrack!",
        content: format!("Hello {name}! Your student profile has been created successfully."),
        related_object_type: "student",
        related_object_id: student_id.as_uuid(),
        metadata: json!({"student_id": student_id, "event": StudentCreated::KEY}),
    }
}

/// Greets an encadrant.
pub fn encadrant_welcome(
    source_event: EventId,
    encadrant_id: EncadrantId,
    user_id: UserId,
    first_name: &str,
    last_name: &str,
) -> NewNotification {
    // Without a last name the title would stand alone.
    let name = match last_name.trim() {
        "" => full_name(first_name, "", "Encadrant"),
        last_name => format!("Dr. {last_name}"),
    };
    NewNotification {
        user_id,
        kind: WELCOME,
        source_event,
        title: "Welcome as Encadrant!",
        content: format!(
            "Hello {name}! Your encadrant profile has been created. \
             You can now supervise students during their internships."
        ),
        related_object_type: "encadrant",
        related_object_id: encadrant_id.as_uuid(),
        metadata: json!({"encadrant_id": encadrant_id, "event": EncadrantCreated::KEY}),
    }
}

fn full_name(first_name: &str, last_name: &str, unknown: &str) -> String {
    let first_name = match first_name.trim() {
        "" => unknown,
        first_name => first_name,
    };
    format!("{first_name} {}", last_name.trim()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn student(first_name: &str, last_name: &str) -> String {
        student_welcome(EventId::new(), StudentId::new(), UserId::new(), first_name, last_name).content
    }

    fn encadrant(first_name: &str, last_name: &str) -> String {
        encadrant_welcome(EventId::new(), EncadrantId::new(), UserId::new(), first_name, last_name).content
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
        assert_eq!(student("", ""), "Hello Student! Your student profile has been created successfully.");
        assert_eq!(
            student("", "Doe"),
            "Hello Student Doe! Your student profile has been created successfully."
        );
        assert!(encadrant("Anna", "").starts_with("Hello Anna! "));
        assert!(encadrant("", " ").starts_with("Hello Encadrant! "));
    }
}
