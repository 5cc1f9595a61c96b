//! Each user receives one welcome, however often an event is delivered.

use events::{Role, UserId};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use test_support::{Ledger, Stack, Unit, eventually, python};
use tokio::process::Command;

const SOON: Duration = Duration::from_secs(10);
const TIMES: usize = 5;

fn person(user_id: UserId) -> Value {
    json!({"user_id": user_id, "email": format!("{user_id}@example.com"), "first_name": "John", "last_name": "Doe",
           "role": "student", "created_at": "2025-12-13T19:27:02Z"})
}

/// Waits until all copies were handled, `duplicates` of them as duplicates; then the user has exactly one profile and
/// one notification.
async fn assert_one_effect(stack: &Stack, user_id: UserId, duplicates: usize) {
    let mine = |table: &str| format!("{table} where user_id = '{user_id}'");
    eventually(SOON, "the welcome", async || {
        stack.comm.count(&mine("communications_notification")).await > 0
    })
    .await;
    eventually(SOON, "all copies are handled", async || {
        stack
            .process(Unit::ProfileConsumer)
            .count_lines("Event already handled")
            == duplicates
            && stack
                .profile
                .count("outbox where published_at is null")
                .await
                == 0
    })
    .await;
    assert_eq!(stack.profile.count(&mine("profiles_student")).await, 1);
    assert_eq!(
        stack.comm.count(&mine("communications_notification")).await,
        1
    );
    for database in [&stack.profile, &stack.comm] {
        assert_eq!(database.count("parked_event").await, 0);
    }
}

fn bare(key: &str, payload: &Value) -> String {
    let meta = json!({"timestamp": "2025-12-13T19:27:02.415000Z", "routing_key": key, "source": "auth-service"});
    json!({"payload": payload, "_meta": meta}).to_string()
}

#[tokio::test]
async fn copies_of_a_bare_event_have_one_effect() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    let user_id = UserId::new();
    let key = "auth.user.created";
    for _ in 0..TIMES {
        stack.vhost.publish(key, bare(key, &person(user_id))).await;
    }
    assert_one_effect(&stack, user_id, TIMES - 1).await;

    // Another event that announces the same profile is no reason for a second welcome.
    let student_id = stack.profile.value("select id from profiles_student").await;
    let again = json!({"student_id": student_id, "user_id": user_id, "first_name": "John"});
    stack
        .vhost
        .publish("student.created", bare("student.created", &again))
        .await;
    let line = format!("Notification already exists for {student_id}");
    stack.process(Unit::CommConsumer).line(&line).await;
    assert_one_effect(&stack, user_id, TIMES - 1).await;

    // The same with a client that shares no code with ours.
    let Some(pika) = python::pika(Path::new(env!("CARGO_TARGET_TMPDIR"))).await else {
        let allowed = std::env::var("ALLOW_SKIP").is_ok_and(|value| value == "1");
        assert!(
            allowed,
            "python3 with pip or pika is missing; try: apt-get install -y python3-pika"
        );
        return;
    };
    let user_id = UserId::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("seed_publisher.py");
    let published = Command::new("python3")
        .arg(script)
        .args([
            &stack.vhost.amqp_url,
            key,
            &person(user_id).to_string(),
            &TIMES.to_string(),
        ])
        .env("PYTHONPATH", pika)
        .output()
        .await
        .expect("python3 has just run");
    assert!(
        published.status.success(),
        "{}",
        String::from_utf8_lossy(&published.stderr)
    );
    assert_one_effect(&stack, user_id, 2 * (TIMES - 1)).await;
}

#[tokio::test]
async fn a_replay_of_all_that_was_published_has_no_effect() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    let tap = stack.vhost.tap("#").await;
    let ledger = Ledger::new(&stack.client);
    for role in [Role::Student, Role::Encadrant, Role::Student] {
        assert!(ledger.register(role).await);
    }
    ledger
        .settle(&stack, "before the replay", SOON)
        .await
        .assert_clean();
    eventually(SOON, "the tap received all", async || {
        tap.heard().len() == 6
    })
    .await;
    for message in tap.heard() {
        stack
            .vhost
            .publish_with(&message.routing_key, &message.body, message.properties)
            .await;
    }
    eventually(SOON, "every copy arrives, and is a duplicate", async || {
        Unit::CONSUMERS
            .iter()
            .all(|unit| stack.process(*unit).count_lines("Event already handled") >= 3)
    })
    .await;
    ledger
        .settle(&stack, "replay of all that was published", SOON)
        .await
        .assert_clean();
    ledger.proof_of_life(SOON).await;
}

#[tokio::test]
async fn consumers_share_a_queue_and_notify_once() {
    let _turn = crate::beside_others().await;
    const USERS: usize = 300;
    let stack = Stack::start().await;
    let replicas = [
        stack.replica(Unit::ProfileConsumer).await,
        stack.replica(Unit::CommConsumer).await,
    ];
    let key = "auth.user.created";
    let bodies: Vec<String> = (0..USERS)
        .map(|_| bare(key, &person(UserId::new())))
        .collect();
    // Two copies of each, side by side: both consumers may hold the same event at the same time.
    let copies = bodies
        .iter()
        .chain(&bodies)
        .map(|body| stack.vhost.publish(key, body));
    join_all(copies).await;
    eventually(
        SOON,
        "all users are welcomed, all copies are duplicates",
        async || {
            stack.comm.count("communications_notification").await
                == i64::try_from(USERS).expect("a few hundred")
                && stack
                    .process(Unit::ProfileConsumer)
                    .count_lines("Event already handled")
                    + replicas[0].count_lines("Event already handled")
                    == USERS
        },
    )
    .await;
    assert_eq!(
        stack.profile.count("profiles_student").await,
        i64::try_from(USERS).unwrap()
    );
    for (unit, replica, line) in [
        (
            Unit::ProfileConsumer,
            &replicas[0],
            "✅ Created student profile",
        ),
        (Unit::CommConsumer, &replicas[1], "✅ Created notification"),
    ] {
        let (one, other) = (
            stack.process(unit).count_lines(line),
            replica.count_lines(line),
        );
        assert_eq!(one + other, USERS, "{unit:?}");
        assert!(
            one > 0 && other > 0,
            "{unit:?}: both work: {one} and {other}"
        );
    }
    for database in [&stack.profile, &stack.comm] {
        assert_eq!(database.count("parked_event").await, 0);
    }
}
