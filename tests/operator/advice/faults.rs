//! Faults of single events and of tables, each with the advice that mends it.

use super::follow;
use crate::{
    SOON,
    findings::{Seen, assert_documented, causes_are, commands, findings, only, well},
    medtrack, poison,
    replay::register,
    said, text,
};
use events::Role;
use lapin::options::QueueDeleteOptions;
use serde_json::json;
use test_support::{Stack, Unit, eventually};
use uuid::Uuid;

/// What a person sees, which is what the document says.
async fn documented(stack: &Stack, fault: &str) -> Seen {
    let seen = Seen::read(&text(&medtrack(stack, "doctor").await));
    assert_documented(fault, &seen);
    seen
}

#[tokio::test]
async fn dead_events_are_counted_by_cause_and_unknown_keys_by_publisher() {
    let stack = Stack::start().await;
    poison(&stack, "a@example.com").await;
    only(&stack, "events_dead").await;
    documented(&stack, "an event that cannot be handled").await;

    for number in 0..199 {
        let event = match number % 2 {
            0 => json!({"payload": {"user_id": Uuid::now_v7()}}).to_string(),
            _ => "no JSON".to_owned() + &number.to_string(),
        };
        stack.vhost.publish("auth.user.created", event).await;
    }
    eventually(SOON, "200 dead events", async || {
        let findings = findings(&stack).await;
        let dead = findings.get("events_dead")?;
        (dead["figures"]["events"] == 200).then_some(())
    })
    .await;
    let seen = documented(&stack, "200 dead events of three causes").await;
    for command in &seen.commands {
        assert!(follow(&stack, command).await.contains("auth.user.created"));
    }
    said(&stack, "dead discard --all --yes").await;
    well(&stack).await;

    let typo =
        json!({"payload": {}, "_meta": {"event_id": Uuid::now_v7(), "source": "core-service"}});
    stack.vhost.publish("stage.creatd", typo.to_string()).await;
    let unknown = only(&stack, "unknown_keys").await;
    assert_eq!(unknown["level"], "warning");
    let seen = documented(&stack, "a mistyped routing key").await;
    for command in &seen.commands {
        assert!(follow(&stack, command).await.contains("stage.creatd"));
    }
    said(&stack, "dead discard --all --yes").await;
    well(&stack).await;
}

#[tokio::test]
async fn a_locked_table_is_freed_by_the_session_that_the_doctor_names() {
    let stack = Stack::start().await;
    let mut holder = stack.profile.pool.begin().await.expect("a transaction");
    sqlx::raw_sql("lock table profiles_student")
        .execute(&mut *holder)
        .await
        .expect("the table is free");
    let user = stack.client.register(Role::Student).await;
    let lock = only(&stack, "table_locked").await;
    documented(&stack, "a locked table").await;
    let hint = lock["hint"].to_string();
    assert!(
        hint.contains("fail after 3 s") && hint.contains("for a day"),
        "{hint}"
    );
    let [command] = &commands(&lock)[..] else {
        panic!("{lock}");
    };
    let (_, statement) = command.split_once("-c '").expect("psql runs a statement");
    let ended = stack.profile.value(statement.trim_end_matches('\'')).await;
    assert_eq!(ended, "true");
    assert!(holder.rollback().await.is_err(), "the session has ended");
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    well(&stack).await;
}

#[tokio::test]
async fn events_that_no_queue_receives_are_published_as_soon_as_the_queue_is_there() {
    let mut stack = Stack::start().await;
    stack.stop(Unit::ProfileConsumer, SOON).await;
    let channel = stack.vhost.channel().await;
    let options = QueueDeleteOptions::default();
    let deleted = channel.queue_delete("profile.events".into(), options).await;
    deleted.expect("the queue exists");
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "the event is returned", async || {
        stack
            .auth
            .is("exists (select from outbox where unroutable_at is not null)")
            .await
    })
    .await;
    let result = causes_are(&stack, &["queue_missing", "process_down"]).await;
    assert!(result.followers().contains(&"events_unroutable"));
    let seen = documented(&stack, "a queue that was deleted").await;
    for command in &seen.commands {
        follow(&stack, command).await;
    }
    eventually(SOON, "it is published at once", async || {
        stack.auth.count("outbox where published_at is null").await == 0
    })
    .await;
    stack.start_units(&[Unit::ProfileConsumer]).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    well(&stack).await;
}

#[tokio::test]
async fn a_removed_binding_is_made_and_what_was_missed_comes_back() {
    let mut stack = Stack::start().await;
    stack.stop(Unit::CommConsumer, SOON).await;
    crate::replay::unbind(&stack, "student.*").await;
    let user = register(&stack, Role::Student).await;
    causes_are(&stack, &["binding_missing", "process_down"]).await;
    let seen = documented(&stack, "a binding that was removed").await;
    follow(&stack, &seen.commands[0]).await;
    stack.start_units(&[Unit::CommConsumer]).await;
    super::let_half_a_minute_pass(&stack).await;
    only(&stack, "events_missed").await;
    let seen = documented(&stack, "events that a service has missed").await;
    for command in &seen.commands {
        follow(&stack, command).await;
    }
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    well(&stack).await;
}
