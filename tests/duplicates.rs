//! Nobody is told twice, however often an event is sent.

use events::{Role, UserId};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use test_support::{Ledger, Stack, Unit, eventually};
use tokio::process::Command;

const SOON: Duration = Duration::from_secs(10);
const TIMES: usize = 5;

fn person(user_id: UserId) -> Value {
    json!({"user_id": user_id, "email": format!("{user_id}@example.com"), "first_name": "John", "last_name": "Doe",
           "role": "student", "created_at": "2025-12-13T19:27:02Z"})
}

/// Exactly one profile and one notification, after every copy was taken.
async fn assert_told_once(stack: &Stack, user_id: UserId) {
    let mine = |table: &str| format!("{table} where user_id = '{user_id}'");
    eventually(SOON, "the welcome", async || stack.comm.count(&mine("communications_notification")).await > 0).await;
    eventually(SOON, "all copies are taken", async || {
        stack.process(Unit::ProfileConsumer).count_lines("Event already handled") >= TIMES - 1
            && stack.vhost.depth("profile.events").await == Some(0)
            && stack.profile.count("outbox where published_at is null").await == 0
    })
    .await;
    assert_eq!(stack.profile.count(&mine("profiles_student")).await, 1);
    assert_eq!(stack.comm.count(&mine("communications_notification")).await, 1);
    for database in [&stack.profile, &stack.comm] {
        assert_eq!(database.count("parked_event").await, 0);
    }
}

#[tokio::test]
async fn five_copies_of_a_bare_event_have_one_effect() {
    let stack = Stack::start().await;
    let user_id = UserId::new();
    let key = "auth.user.created";
    let meta = json!({"timestamp": "2025-12-13T19:27:02.415000Z", "routing_key": key, "source": "auth-service"});
    let body = json!({"payload": person(user_id), "_meta": meta}).to_string();
    for _ in 0..TIMES {
        stack.vhost.publish(key, &body).await;
    }
    assert_told_once(&stack, user_id).await;

    // Another event that announces the same profile is no reason for a second welcome.
    let student = "student.created";
    let id: String = sqlx::query_scalar!("x").await;
}
