//! Which notifications a user gets once, and in which order.

use events::{Role, StudentId, UserId};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, Unit, eventually, stack::Links};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(10);

async fn consumer() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::CommConsumer]).await;
    stack
}

/// Publishes an event with an id of its own, of this second.
async fn publish(stack: &Stack, key: &str, payload: Value, second: u32) {
    let meta = json!({"event_id": Uuid::now_v7(), "timestamp": format!("2026-01-05T10:00:{second:02}Z"),
                      "source": "core-service"});
    let body = json!({"payload": payload, "_meta": meta}).to_string();
    stack.vhost.publish(key, body).await;
}

fn student(user_id: UserId, student_id: StudentId) -> Value {
    json!({"user_id": user_id, "student_id": student_id, "first_name": "John", "last_name": "Doe"})
}

#[tokio::test]
async fn a_publishers_retry_under_a_new_id_notifies_once() {
    let stack = consumer().await;
    let (user_id, student_id) = (UserId::new(), StudentId::new());
    publish(&stack, "student.created", student(user_id, student_id), 0).await;
    let (stage_id, evaluation_id) = (Uuid::now_v7(), Uuid::now_v7());
    for second in 1..4 {
        for key in [
            "stage.created",
            "stage.completed",
            "evaluation.created",
            "stage.accepted",
        ] {
            let payload = json!({"student_id": student_id, "stage_id": stage_id, "evaluation_id": evaluation_id});
            publish(&stack, key, payload, second).await;
        }
    }
    eventually(SOON, "all are handled", async || {
        stack.comm.count("inbox").await == 13
    })
    .await;
    let counts = "select string_agg(concat_ws(' ', kind, number), ', ' order by kind)
                from (select kind, count(*) as number from communications_notification group by kind) as counts";
    assert_eq!(
        stack.comm.value(counts).await,
        "evaluation.created 1, stage.accepted 3, stage.completed 1, stage.created 1, welcome 1"
    );
}

#[tokio::test]
async fn a_user_is_welcomed_once_in_a_role_whatever_profile_is_announced() {
    let stack = consumer().await;
    let user_id = UserId::new();
    for second in 0..2 {
        publish(
            &stack,
            "student.created",
            student(user_id, StudentId::new()),
            second,
        )
        .await;
    }
    eventually(SOON, "both are handled", async || {
        stack.comm.count("inbox").await == 2
    })
    .await;
    assert_eq!(stack.comm.count("communications_notification").await, 1);
}

#[tokio::test]
async fn notifications_stand_in_the_order_in_which_it_happened() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::Comm, Unit::CommConsumer])
        .await;
    let user = stack.client.register(Role::Student).await;
    let (student_id, stage_id) = (StudentId::new(), Uuid::now_v7());
    for (key, second) in [
        ("stage.completed", 5),
        ("stage.created", 1),
        ("stage.started", 4),
        ("stage.accepted", 3),
    ] {
        publish(
            &stack,
            key,
            json!({"student_id": student_id, "stage_id": stage_id}),
            second,
        )
        .await;
    }
    eventually(SOON, "all wait", async || {
        stack
            .comm
            .count("parked_event where waits_for is not null")
            .await
            == 4
    })
    .await;
    publish(
        &stack,
        "student.created",
        student(user.user_id, student_id),
        2,
    )
    .await;
    let notifications = eventually(SOON, "all are notified", async || {
        let all = stack.client.notifications(&user).await;
        (all.len() == 5).then_some(all)
    })
    .await;
    let titles: Vec<_> = notifications
        .iter()
        .map(|notice| notice["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        titles,
        [
            "Stage Completed!",
            "Stage Started",
            "Stage Accepted!",
            "Welcome to MedTrack!",
            "New Stage Assignment"
        ]
    );
}

#[tokio::test]
async fn an_event_with_a_future_time_does_not_stay_on_top() {
    let stack = consumer().await;
    let meta = json!({"event_id": Uuid::now_v7(), "timestamp": "9999-01-05T10:00:00Z"});
    let body =
        json!({"payload": student(UserId::new(), StudentId::new()), "_meta": meta}).to_string();
    stack.vhost.publish("student.created", body).await;
    let is_notified = "exists (select from communications_notification where occurred_at <= now())";
    eventually(SOON, "there is a notification", async || {
        stack.comm.is(is_notified).await
    })
    .await;
}

#[tokio::test]
async fn a_versionless_deletion_erases_only_whom_no_other_publisher_has_spoken_of() {
    let stack = consumer().await;
    let announce = async |user_id: UserId, version: Option<i64>| {
        let student_id = StudentId::new();
        let meta = json!({"event_id": Uuid::now_v7(), "timestamp": "2026-01-05T10:00:00Z", "aggregate_version": version});
        let body = json!({"payload": student(user_id, student_id), "_meta": meta}).to_string();
        stack.vhost.publish("student.created", body).await;
        let is_welcomed =
            format!("exists (select from communications_notification where user_id = '{user_id}')");
        eventually(SOON, "the welcome", async || {
            stack.comm.is(&is_welcomed).await
        })
        .await;
        publish(&stack, "auth.user.deleted", json!({"user_id": user_id}), 1).await;
    };
    let (ours, theirs) = (UserId::new(), UserId::new());
    announce(ours, Some(1)).await;
    announce(theirs, None).await;
    let state = format!(
        "(select string_agg(user_id::text, ',') from communications_notification) = '{ours}'
         and exists (select from parked_event where state = 'dead' and kind = 'foreign_deletion')"
    );
    eventually(SOON, "one is erased, one is parked", async || {
        stack.comm.is(&state).await
    })
    .await;
}
