//! A notification, as its user sees it.

use super::view::View;
use crate::store::notifications;
use chrono::{DateTime, Utc};
use events::{Event as _, profile::StudentCreated};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::http::{Problem, list::Choice};
use utoipa::{
    ToSchema,
    openapi::{Object as Schema, ObjectBuilder, Type},
};
use uuid::Uuid;

/// How a notification reaches its user; `system` is the inbox.
#[derive(Clone, Copy, Debug, PartialEq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum Channel {
    System,
    Email,
    Push,
}

/// Whether a notification has reached its channel.
#[derive(Clone, Copy, Debug, PartialEq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum Status {
    Sent,
    Pending,
    Failed,
}

/// A notification, as its user sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct Notification {
    /// The notification.
    id: Uuid,
    /// The user whose inbox holds it.
    user_id: Uuid,
    #[serde(rename = "type")]
    #[schema(inline, value_type = Channel)]
    channel: String,
    /// One line.
    #[schema(examples("Welcome to MedTrack!"))]
    title: String,
    /// The text.
    #[schema(examples("Hello John Doe! Your student profile has been created successfully."))]
    content: String,
    /// What it is about, such as `student`.
    #[schema(examples("student"))]
    related_object_type: Option<String>,
    /// The id of what it is about.
    related_object_id: Option<Uuid>,
    /// The page of what it is about, where the setting `NOTICE_LINKS` names one.
    #[schema(examples("https://front.example/stages/019ab3c2-0a11-7c52-9e03-5d7b1f3a8c46"))]
    link: Option<String>,
    /// When it was written.
    created_at: DateTime<Utc>,
    /// When it reached its channel.
    sent_at: Option<DateTime<Utc>>,
    #[schema(inline, value_type = Status)]
    status: String,
    /// Failed deliveries over its channel.
    #[schema(examples(0))]
    attempts: i32,
    /// The last failed delivery's cause.
    last_error: Option<String>,
    #[schema(schema_with = metadata_schema)]
    metadata: Value,
    /// When the user had read it.
    read_at: Option<DateTime<Utc>>,
    /// When the user archived it.
    archived_at: Option<DateTime<Utc>>,
}

fn metadata_schema() -> Schema {
    let about = "For programs: the routing key of the event, and the ids that it names.";
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let example = json!({"event": StudentCreated::KEY, "student_id": Uuid::nil()});
    object.description(Some(about)).examples([example]).build()
}

impl View {
    /// Shows a notification.
    pub(super) fn show(&self, row: notifications::Notification) -> Notification {
        let text = row.text(self.language);
        let object_type = row.related_object_type.as_deref();
        Notification {
            link: self.links.to(object_type, row.related_object_id),
            id: row.id,
            user_id: row.user_id,
            channel: row.channel,
            title: text.title,
            content: text.content,
            related_object_type: row.related_object_type,
            related_object_id: row.related_object_id,
            created_at: row.created_at,
            sent_at: row.sent_at,
            status: row.status,
            attempts: row.attempts,
            last_error: row.last_error,
            metadata: row.metadata,
            read_at: row.read_at,
            archived_at: row.archived_at,
        }
    }
}

impl Choice for Channel {
    const ALL: &'static [(&'static str, Self)] = &[
        ("system", Self::System),
        ("email", Self::Email),
        ("push", Self::Push),
    ];
}

impl Choice for Status {
    const ALL: &'static [(&'static str, Self)] = &[
        ("sent", Self::Sent),
        ("pending", Self::Pending),
        ("failed", Self::Failed),
    ];
}

/// A text that is not an id names no notification.
pub(super) fn parse_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| unknown())
}

pub(super) fn unknown() -> Problem {
    Problem::not_found("There is no such notification.")
}
