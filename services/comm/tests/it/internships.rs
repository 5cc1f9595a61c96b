//! The notifications about internships.

use events::{Event, catalogue::EVENTS, profile::StudentCreated};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, Unit, eventually, stack::Links};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(10);
const KEYS: [&str; 9] = [
    "stage.created",
    "stage.accepted",
    "stage.rejected",
    "stage.started",
    "stage.completed",
    "stage.cancelled",
    "evaluation.created",
    "evaluation.updated",
    "grade.assigned",
];

async fn consumer() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::CommConsumer]).await;
    stack
}

/// The sample of an event, about this student, as a foreign publisher sends it.
fn about(key: &str, student_id: Uuid) -> String {
    let entry = EVENTS
        .iter()
        .find(|entry| entry.key == key)
        .expect("it is in the catalogue");
    let mut event: Value = serde_json::from_str(&entry.sample()).expect("samples are JSON");
    event["payload"]["student_id"] = student_id.to_string().into();
    json!({"payload": event["payload"], "_meta": {"timestamp": "2026-01-05T10:00:00.000000", "source": "core-service"}})
        .to_string()
}

async fn student(stack: &Stack, student_id: Uuid, user_id: Uuid) {
    let student = StudentCreated {
        student_id: student_id.into(),
        user_id: user_id.into(),
        ..StudentCreated::sample()
    };
    stack
        .vhost
        .publish(
            StudentCreated::KEY,
            json!({"payload": student, "_meta": {}}).to_string(),
        )
        .await;
}

#[tokio::test]
async fn every_event_about_an_internship_leads_to_a_notification_without_a_score() {
    let stack = consumer().await;
    let (student_id, user_id) = (Uuid::now_v7(), Uuid::now_v7());
    student(&stack, student_id, user_id).await;
    for key in KEYS {
        stack.vhost.publish(key, about(key, student_id)).await;
        stack.vhost.publish(key, about(key, student_id)).await;
    }
    let texts =
        format!("communications_notification where user_id = '{user_id}' and kind <> 'welcome'");
    eventually(SOON, "nine notices", async || {
        stack.comm.count(&texts).await == 9
    })
    .await;
    eventually(SOON, "the copies are known", async || {
        stack
            .process(Unit::CommConsumer)
            .count_lines("Event already handled")
            == 9
    })
    .await;
    let texts = stack
        .comm
        .value("select string_agg(concat_ws(' | ', kind, title, content, related_object_type), '\n' order by kind)
                from communications_notification")
        .await;
    insta::assert_snapshot!("texts", texts);
    let leak =
        "communications_notification where concat(title, content, metadata) ~ '85[.]5|17[.]1|None'";
    assert_eq!(stack.comm.count(leak).await, 0);
    assert_eq!(
        stack.process(Unit::CommConsumer).count_lines("No handler"),
        0
    );
}

#[tokio::test]
async fn an_event_that_precedes_its_student_waits_and_notifies_as_soon_as_the_student_arrives() {
    let stack = consumer().await;
    let (student_id, user_id) = (Uuid::now_v7(), Uuid::now_v7());
    for key in KEYS {
        stack.vhost.publish(key, about(key, student_id)).await;
    }
    let waiting =
        format!("parked_event where state = 'waiting' and waits_for = 'student:{student_id}'");
    eventually(SOON, "all wait", async || {
        stack.comm.count(&waiting).await == 9
    })
    .await;
    assert_eq!(stack.comm.count("communications_notification").await, 0);
    student(&stack, student_id, user_id).await;
    eventually(SOON, "all are notified", async || {
        stack.comm.count("communications_notification").await == 10
    })
    .await;
    assert_eq!(stack.comm.count("parked_event").await, 0);
}

#[tokio::test]
async fn a_late_event_notifies_no_deleted_user() {
    let stack = consumer().await;
    let (student_id, user_id) = (Uuid::now_v7(), Uuid::now_v7());
    stack
        .vhost
        .publish("stage.created", about("stage.created", student_id))
        .await;
    let deleted = json!({"payload": {"user_id": user_id}, "_meta": {}}).to_string();
    stack.vhost.publish("auth.user.deleted", deleted).await;
    student(&stack, student_id, user_id).await;
    stack
        .vhost
        .publish("stage.accepted", about("stage.accepted", student_id))
        .await;
    eventually(SOON, "all are handled", async || {
        stack.comm.count("inbox").await == 4 && stack.comm.count("parked_event").await == 0
    })
    .await;
    assert_eq!(stack.comm.count("communications_notification").await, 0);
}

#[tokio::test]
async fn an_unknown_event_about_a_stage_is_warned_of_kept_and_acknowledged() {
    let stack = consumer().await;
    stack
        .vhost
        .publish("stage.archived", r#"{"payload": {}, "_meta": {}}"#)
        .await;
    stack
        .process(Unit::CommConsumer)
        .line("WARN No handler for routing key: stage.archived")
        .await;
    eventually(SOON, "it is gone", async || {
        stack.vhost.depth("comm.events").await == Some(0)
    })
    .await;
    // A later version may have a handler: the event is kept, so that it can be replayed.
    let kept = "parked_event where state = 'dead' and kind = 'unknown_key'";
    assert_eq!(stack.comm.count(kept).await, 1);
    assert_eq!(stack.comm.count("parked_event").await, 1);
}
