//! The documented chain, seen from outside: a registration becomes a profile and one welcome.

mod operation;

use chrono::{DateTime, Utc};
use events::Role;
use operation::{assert_log_lines, assert_nothing_secret, assert_observable};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use test_support::{Message, Stack, Unit, User, eventually};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(5);

/// Waits for the welcome of a user.
async fn welcome(stack: &Stack, user: &User) -> Value {
    let list = async || {
        let notifications = stack.client.notifications(user).await;
        (!notifications.is_empty()).then_some(notifications)
    };
    let mut notifications = eventually(SOON, "a welcome", list).await;
    assert_eq!(notifications.len(), 1, "one welcome: {notifications:?}");
    notifications.remove(0)
}

fn id(value: &Value) -> Uuid {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("not a UUID string: {value}"))
}

/// Checks the envelope and the AMQP properties of an event; returns its `_meta`.
fn assert_envelope(message: &Message, source: &str) -> Value {
    let body = message.json();
    let fields: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["_meta", "payload"]);
    let meta = body["_meta"].clone();
    let timestamp = meta["timestamp"].as_str().expect("a timestamp");
    assert!(timestamp.ends_with('Z'), "UTC: {timestamp}");
    let age = Utc::now() - timestamp.parse::<DateTime<Utc>>().expect("ISO 8601");
    assert!(age.num_seconds().abs() < 5, "{timestamp}");
    assert_eq!(meta["routing_key"], message.routing_key.as_str());
    assert_eq!(meta["source"], source);
    assert_eq!(
        (&meta["aggregate_version"], &meta["schema_version"]),
        (&json!(1), &json!(1))
    );
    id(&meta["aggregate_id"]);

    let properties = &message.properties;
    let text = |text: Option<&str>| text.map(str::to_owned);
    assert_eq!(*properties.delivery_mode(), Some(2), "persistent");
    assert_eq!(
        text(properties.content_type().as_ref().map(|t| t.as_str())).as_deref(),
        Some("application/json")
    );
    assert_eq!(
        properties.message_id().as_ref().map(|t| t.as_str()),
        meta["event_id"].as_str()
    );
    assert_eq!(
        properties.correlation_id().as_ref().map(|t| t.as_str()),
        meta["correlation_id"].as_str()
    );
    assert_eq!(
        properties.kind().as_ref().map(|t| t.as_str()),
        Some(message.routing_key.as_str())
    );
    assert_eq!(
        properties.app_id().as_ref().map(|t| t.as_str()),
        Some(source)
    );
    assert!(properties.timestamp().is_some());
    meta
}

#[tokio::test]
async fn a_student_and_an_encadrant_are_welcomed() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    let tap = stack.vhost.tap("#").await;

    let student = stack.client.register(Role::Student).await;
    let notification = welcome(&stack, &student).await;
    let registered = tap
        .hear(|message| message.routing_key == "auth.user.created")
        .await;
    let profiled = tap
        .hear(|message| message.routing_key == "student.created")
        .await;
    let cause = assert_registered(&student, &registered);
    let student_id = assert_profiled(&stack, &student, &profiled, &cause).await;
    assert_welcomed(&stack, &student, student_id, &notification).await;

    let encadrant = stack.client.register(Role::Encadrant).await;
    let profiled = tap.hear(|message| message.routing_key == "encadrant.created");
    assert_encadrant(&stack, &encadrant, &profiled.await, &notification).await;

    eventually(SOON, "auth-service stores the profile's id", async || {
        let me = stack.client.get("/auth/api/v1/users/me", &student).await;
        me.body["profile_id"] == json!(student_id)
    })
    .await;
    assert_eq!(stack.auth.count("users_user").await, 2);
    assert_nothing_secret(&tap.heard(), &[&student, &encadrant]);
    assert_log_lines(&stack, &student, &encadrant).await;
    assert_observable(&stack).await;
}

/// The response to the registration, and its event; returns the event's `_meta`.
fn assert_registered(student: &User, event: &Message) -> Value {
    assert_eq!(student.body["token_type"], "Bearer");
    assert!(student.token.starts_with("eyJ"));
    assert_eq!(student.body["user"]["role"], "student");
    let meta = assert_envelope(event, "auth-service");
    assert_eq!(meta["causation_id"], Value::Null, "the root of the chain");
    let payload = &event.json()["payload"];
    let user = &student.body["user"];
    for field in ["email", "first_name", "last_name", "role"] {
        assert_eq!(payload[field], user[field], "{field}");
    }
    assert_eq!(payload["user_id"], user["id"]);
    payload["created_at"]
        .as_str()
        .and_then(|time| time.parse::<DateTime<Utc>>().ok())
        .expect("created_at is ISO 8601");
    meta
}

/// The profile, and its event; returns the student's id.
async fn assert_profiled(stack: &Stack, student: &User, event: &Message, cause: &Value) -> Uuid {
    let meta = assert_envelope(event, "profile-service");
    assert_eq!(meta["correlation_id"], cause["correlation_id"], "one chain");
    assert_eq!(meta["causation_id"], cause["event_id"], "its cause");
    let payload = &event.json()["payload"];
    let user = &student.body["user"];
    assert_eq!(payload["user_id"], user["id"]);
    for field in ["first_name", "last_name", "email"] {
        assert_eq!(payload[field], user[field], "{field}");
    }
    let student_id = id(&payload["student_id"]);
    let profile = stack.client.get("/profile/api/me", student).await;
    assert_eq!(
        (profile.status, &profile.body["id"]),
        (200, &payload["student_id"]),
        "{}",
        profile.body
    );
    let row = format!(
        "profiles_student where id = '{student_id}' and user_id = '{}' and email = '{}' and first_name = 'John' and last_name = 'Doe'",
        student.user_id, student.email
    );
    assert_eq!(stack.profile.count(&row).await, 1);
    student_id
}

/// Every field of the welcome, over HTTP and in the database.
async fn assert_welcomed(stack: &Stack, student: &User, student_id: Uuid, welcome: &Value) {
    assert_eq!(welcome["type"], "system");
    assert_eq!(welcome["title"], "Welcome to MedTrack!");
    assert_eq!(
        welcome["content"],
        "Hello John Doe! Your student profile has been created successfully."
    );
    assert_eq!(welcome["related_object_type"], "student");
    assert_eq!(id(&welcome["related_object_id"]), student_id);
    assert_eq!(
        welcome["metadata"],
        json!({"student_id": student_id, "event": "student.created"})
    );
    assert_eq!(welcome["user_id"], json!(student.user_id));
    assert_eq!(welcome["read_at"], Value::Null);
    let newest = "select concat_ws('|', user_id, type, title, content, related_object_type, related_object_id, metadata->>'event')
        from communications_notification order by created_at desc limit 1";
    assert_eq!(
        stack.comm.value(newest).await,
        format!(
            "{}|system|Welcome to MedTrack!|Hello John Doe! Your student profile has been created successfully.\
             |student|{student_id}|student.created",
            student.user_id
        )
    );
}

/// An encadrant's event and welcome; the student's notification is hidden from the encadrant.
async fn assert_encadrant(
    stack: &Stack,
    encadrant: &User,
    event: &Message,
    of_the_student: &Value,
) {
    let notification = welcome(stack, encadrant).await;
    assert_envelope(event, "profile-service");
    let payload = event.json()["payload"].clone();
    assert_eq!(
        payload.get("specialization"),
        Some(&Value::Null),
        "the field is present, and null until a value is set: {payload}"
    );
    assert_eq!(notification["title"], "Welcome as Encadrant!");
    assert_eq!(
        notification["content"],
        "Hello Dr. Doe! Your encadrant profile has been created. You can now supervise students during their internships."
    );
    assert_eq!(
        (
            &notification["related_object_type"],
            &notification["related_object_id"]
        ),
        (&json!("encadrant"), &payload["encadrant_id"])
    );
    let path = format!("/comm/api/notifications/{}/", id(&of_the_student["id"]));
    let foreign = stack.client.get(&path, encadrant).await;
    assert_eq!(foreign.status, 404, "another user's notification");
    let row = format!("profiles_encadrant where user_id = '{}'", encadrant.user_id);
    assert_eq!(stack.profile.count(&row).await, 1);
}

#[tokio::test]
async fn registration_waits_for_no_consumer() {
    let _turn = crate::beside_others().await;
    let mut stack = Stack::prepare(test_support::Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::Profile, Unit::Comm])
        .await;
    // The first process that connects declares every queue, so that no event is lost before a consumer's first start.
    eventually(SOON, "the queue is there", async || {
        stack.vhost.depth("profile.events").await.is_some()
    })
    .await;

    const MANY: u32 = 10;
    let mut users = Vec::new();
    for _ in 0..MANY {
        let began = Instant::now();
        users.push(stack.client.register(Role::Student).await);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    }
    eventually(SOON, "all events wait in the queue", async || {
        stack.vhost.depth("profile.events").await >= Some(MANY)
    })
    .await;
    assert!(stack.client.notifications(&users[0]).await.is_empty());

    stack.start_units(&Unit::CONSUMERS).await;
    for user in &users {
        welcome(&stack, user).await;
    }
}
