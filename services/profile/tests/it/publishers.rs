//! Publishers that are not ours: their ids, and the order of their events.

use events::UserId;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, Unit, eventually, stack::Links, vhost::BasicProperties};

const SOON: Duration = Duration::from_secs(10);

async fn consumer() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::ProfileConsumer]).await;
    stack
}

fn created(user_id: UserId) -> Value {
    json!({"user_id": user_id, "email": format!("{user_id}@example.com"), "first_name": "Old", "last_name": "Old",
           "phone": "0", "role": "student"})
}

fn updated(user_id: UserId, field: &str, value: &str) -> Value {
    json!({"user_id": user_id, "email": format!("{user_id}@example.com"), field: value})
}

/// A second of the minute in which the user is created.
fn at(second: u32) -> Value {
    json!(format!("2026-01-05T10:00:0{second}Z"))
}

/// Publishes a message as the original system wrote it.
async fn publish(stack: &Stack, key: &str, payload: Value, timestamp: Value) {
    let meta = json!({"timestamp": timestamp, "routing_key": key, "source": "auth-service"});
    let body = json!({"payload": payload, "_meta": meta}).to_string();
    stack.vhost.publish(key, body).await;
}

async fn create(stack: &Stack, user_id: UserId) {
    publish(stack, CREATED, created(user_id), at(0)).await;
}

async fn update(stack: &Stack, user_id: UserId, [field, value]: [&str; 2], time: Value) {
    publish(stack, UPDATED, updated(user_id, field, value), time).await;
}

/// Waits until the profile of a user reads `first name|last name|phone`.
async fn reads(stack: &Stack, user_id: UserId, expected: &str) {
    let query = format!(
        "exists (select from profiles_student where user_id = '{user_id}'
                 and concat_ws('|', first_name, last_name, phone) = '{expected}')"
    );
    eventually(SOON, expected, async || stack.profile.is(&query).await).await;
}

async fn dead(stack: &Stack, kind: &str) {
    let row = format!("exists (select from parked_event where state = 'dead' and kind = '{kind}')");
    eventually(SOON, kind, async || stack.profile.is(&row).await).await;
}

const CREATED: &str = "auth.user.created";
const UPDATED: &str = "auth.user.updated";

#[tokio::test]
async fn two_users_under_one_message_id_are_two_users() {
    let stack = consumer().await;
    let (first, second) = (UserId::new(), UserId::new());
    for user_id in [first, second] {
        let meta = json!({"timestamp": at(0)});
        let body = json!({"payload": created(user_id), "_meta": meta}).to_string();
        let properties = BasicProperties::default().with_message_id("1".into());
        stack.vhost.publish_with(CREATED, body, properties).await;
    }
    reads(&stack, first, "Old|Old|0").await;
    reads(&stack, second, "Old|Old|0").await;
}

#[tokio::test]
async fn one_event_id_under_two_keys_swallows_nothing() {
    let stack = consumer().await;
    let user_id = UserId::new();
    for (key, payload) in [
        (CREATED, created(user_id)),
        (UPDATED, updated(user_id, "phone", "1")),
    ] {
        let meta = json!({"event_id": user_id, "timestamp": at(0), "source": "old"});
        let body = json!({"payload": payload, "_meta": meta}).to_string();
        stack.vhost.publish(key, body).await;
    }
    reads(&stack, user_id, "Old|Old|1").await;
}

#[tokio::test]
async fn a_parked_event_of_a_foreign_publisher_keeps_its_id_when_it_is_handled() {
    let stack = consumer().await;
    let user_id = UserId::new();
    let meta = json!({"timestamp": at(1)});
    let body = json!({"payload": updated(user_id, "phone", "1"), "_meta": meta});
    let properties = BasicProperties::default()
        .with_message_id("7".into())
        .with_app_id("old".into());
    stack
        .vhost
        .publish_with(UPDATED, body.to_string(), properties.clone())
        .await;
    let waits = "exists (select from parked_event where waits_for is not null)";
    eventually(SOON, "it waits", async || stack.profile.is(waits).await).await;
    create(&stack, user_id).await;
    reads(&stack, user_id, "Old|Old|1").await;
    stack
        .vhost
        .publish_with(UPDATED, body.to_string(), properties)
        .await;
    stack
        .process(Unit::ProfileConsumer)
        .line("Event already handled")
        .await;
    assert_eq!(stack.profile.count("inbox").await, 2);
}

#[tokio::test]
async fn changes_of_a_publisher_without_versions_apply_field_by_field_in_any_order() {
    let stack = consumer().await;
    let user_id = UserId::new();
    create(&stack, user_id).await;
    update(&stack, user_id, ["phone", "3"], at(3)).await;
    reads(&stack, user_id, "Old|Old|3").await;
    update(&stack, user_id, ["first_name", "New"], at(2)).await;
    reads(&stack, user_id, "New|Old|3").await;
    // In the second of the creation.
    update(&stack, user_id, ["last_name", "New"], at(0)).await;
    reads(&stack, user_id, "New|New|3").await;
    update(&stack, user_id, ["first_name", "Late"], at(1)).await;
    stack
        .process(Unit::ProfileConsumer)
        .line("Event ignored: a newer one about the user has been applied")
        .await;
    reads(&stack, user_id, "New|New|3").await;
}

#[tokio::test]
async fn a_change_without_a_usable_time_is_dead_and_the_next_change_applies() {
    let stack = consumer().await;
    let user_id = UserId::new();
    create(&stack, user_id).await;
    reads(&stack, user_id, "Old|Old|0").await;
    for (time, kind) in [
        (Value::Null, "no_time"),
        (json!(1_765_654_022), "bad_time"),
        (json!("9999-01-01T00:00:00Z"), "time_ahead"),
    ] {
        update(&stack, user_id, ["phone", kind], time).await;
        dead(&stack, kind).await;
    }
    update(&stack, user_id, ["phone", "1"], at(1)).await;
    reads(&stack, user_id, "Old|Old|1").await;
}

#[tokio::test]
async fn an_announcement_repeated_in_a_restored_database_makes_the_same_profile_and_event() {
    let stack = consumer().await;
    let tap = stack.vhost.tap("student.created").await;
    let user_id = UserId::new();
    let meta = json!({"event_id": UserId::new(), "timestamp": at(0), "aggregate_version": 1});
    let body = json!({"payload": created(user_id), "_meta": meta}).to_string();
    let mut announced = Vec::new();
    for _ in 0..2 {
        stack.vhost.publish(CREATED, &body).await;
        let seen = announced.len();
        eventually(SOON, "it is announced", async || tap.heard().len() > seen).await;
        announced = tap.heard();
        for table in ["profiles_student", "profiles_account", "inbox", "outbox"] {
            stack.profile.run(&format!("delete from {table}")).await;
        }
    }
    let [first, second] = [&announced[0], &announced[1]].map(|message| message.json());
    assert_eq!(first["payload"], second["payload"]);
    assert_eq!(first["_meta"]["event_id"], second["_meta"]["event_id"]);
}

#[tokio::test]
async fn a_profile_that_an_older_process_made_is_found_by_its_first_change() {
    let stack = consumer().await;
    let user_id = UserId::new();
    let insert = format!(
        "insert into profiles_student (id, user_id, email, first_name, last_name, phone)
         values (gen_random_uuid(), '{user_id}', '{user_id}@example.com', 'Old', 'Old', '0')"
    );
    stack.profile.run(&insert).await;
    let meta = json!({"event_id": UserId::new(), "timestamp": at(0), "aggregate_version": 2});
    let body = json!({"payload": updated(user_id, "phone", "1"), "_meta": meta}).to_string();
    stack.vhost.publish(UPDATED, body).await;
    reads(&stack, user_id, "Old|Old|1").await;
}
