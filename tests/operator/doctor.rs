//! What the doctor finds, and what it advises; the outbox, which it explains.

use crate::{SOON, json_of, medtrack, poison, said, text};
use events::{Role, topology::SERVICES};
use lapin::types::FieldTable;
use serde_json::{Value, json};
use test_support::{Stack, Unit, eventually, stack::Links};

/// What `doctor` calls broken, and what it says to try.
async fn broken(stack: &Stack) -> Vec<(String, String)> {
    let output = medtrack(stack, "doctor --json").await;
    let findings: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let broken: Vec<_> = findings
        .as_array()
        .into_iter()
        .flatten()
        .filter(|finding| finding["level"] == "broken")
        .map(|finding| (finding["what"].to_string(), finding["try"].to_string()))
        .collect();
    assert_eq!(
        output.status.success(),
        broken.is_empty(),
        "the exit code tells"
    );
    broken
}

async fn finds(stack: &Stack, what: &str, advice: &str) {
    eventually(SOON, what, async || {
        let findings = broken(stack).await;
        findings
            .iter()
            .any(|(findings, try_)| findings.contains(what) && try_.contains(advice))
    })
    .await;
}

#[tokio::test]
async fn the_doctor_finds_what_is_broken_and_says_what_to_try() {
    let mut stack = Stack::start().await;
    eventually(SOON, "all is well", async || {
        broken(&stack).await.is_empty()
    })
    .await;

    stack.stop(Unit::CommConsumer, SOON).await;
    finds(
        &stack,
        "no process consumes comm.events",
        "docker-compose restart comm-service-consumer",
    )
    .await;
    stack.start_units(&[Unit::CommConsumer]).await;

    poison(&stack, "a@example.com").await;
    finds(
        &stack,
        "1 events cannot be handled by profile-service",
        "./medtrack dead list --service profile",
    )
    .await;
    said(&stack, "dead discard --all").await;

    let mut holder = stack.comm.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table communications_notification")
        .execute(&mut *holder)
        .await
        .unwrap();
    finds(
        &stack,
        "holds communications_notification of comm-service locked",
        "pg_terminate_backend",
    )
    .await;
    holder.rollback().await.unwrap();

    let channel = stack.vhost.channel().await;
    let options = lapin::options::QueueDeleteOptions::default();
    stack.stop(Unit::AuthConsumer, SOON).await;
    channel
        .queue_delete("auth.events".into(), options)
        .await
        .unwrap();
    finds(
        &stack,
        "the queue auth.events is missing",
        "./medtrack topology apply",
    )
    .await;
    assert!(said(&stack, "topology apply").await.contains("auth.events"));
    stack.start_units(&[Unit::AuthConsumer]).await;
    eventually(SOON, "all is well again", async || {
        broken(&stack).await.is_empty()
    })
    .await;

    let queues = json_of(&stack, "queues --json").await;
    assert_eq!(queues.as_array().map(Vec::len), Some(SERVICES.len()));
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "a proof of life", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn what_is_not_published_is_listed_and_the_doctor_says_why() {
    let mut stack = Stack::prepare(Links::Proxied).await;
    stack.start_units(&[Unit::Auth]).await;
    stack.set_broker(test_support::Mode::Refuse);
    stack.client.register(Role::Student).await;
    let outbox = json_of(&stack, "outbox --json").await;
    assert_eq!(
        (&outbox[0]["service"], &outbox[0]["routing_key"]),
        (&json!("auth"), &json!("auth.user.created"))
    );
    stack
        .auth
        .run("update outbox set created_at = now() - interval '1 minute'")
        .await;
    finds(
        &stack,
        "events of auth-service wait to be published",
        "restart rabbitmq",
    )
    .await;
    stack.set_broker(test_support::Mode::Pass);
    eventually(SOON, "all is published", async || {
        json_of(&stack, "outbox --json").await == json!([])
    })
    .await;
}

#[tokio::test]
async fn what_another_system_has_left_on_the_broker_is_removed_as_the_doctor_advises() {
    let mut stack = Stack::prepare(Links::Direct).await;
    let channel = stack.vhost.channel().await;
    let durable = lapin::options::QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let classic = channel.queue_declare("comm.events".into(), durable, FieldTable::default());
    classic.await.unwrap();
    channel
        .basic_publish(
            "".into(),
            "comm.events".into(),
            lapin::options::BasicPublishOptions::default(),
            b"of the other system",
            lapin::BasicProperties::default(),
        )
        .await
        .unwrap();
    let others = Unit::ALL.into_iter();
    let others: Vec<_> = others.filter(|unit| *unit != Unit::CommConsumer).collect();
    stack.start_units(&others).await;
    stack.spawn(&[Unit::CommConsumer]);
    finds(
        &stack,
        "the queue comm.events of another system stands in the way",
        "./medtrack topology replace comm.events --discard-messages",
    )
    .await;
    let refused = medtrack(&stack, "topology replace comm.events").await;
    assert!(!refused.status.success());
    let line = stack
        .process(Unit::CommConsumer)
        .line("topology replace")
        .await;
    assert!(
        line.contains("try: ./medtrack topology replace comm.events"),
        "{line}"
    );

    said(&stack, "topology replace comm.events --discard-messages").await;
    stack.start_units(&[Unit::CommConsumer]).await;
    let later = stack.client.register(Role::Student).await;
    eventually(SOON, "a proof of life", async || {
        stack.client.notifications(&later).await.len() == 1
    })
    .await;
    eventually(SOON, "nothing stands in the way", async || {
        let broken = broken(&stack).await;
        !broken
            .iter()
            .any(|(what, _)| what.contains("stands in the way"))
    })
    .await;

    let old = lapin::options::ExchangeDeclareOptions::default();
    let kind = lapin::ExchangeKind::Topic;
    channel
        .exchange_declare("old".into(), kind, old, FieldTable::default())
        .await
        .unwrap();
    channel
        .queue_bind(
            "profile.events".into(),
            "old".into(),
            "user.created".into(),
            lapin::options::QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let doctor = async || text(&medtrack(&stack, "doctor").await);
    eventually(SOON, "the doctor finds the binding", async || {
        doctor()
            .await
            .contains("try: ./medtrack topology unbind old")
    })
    .await;
    said(&stack, "topology unbind old").await;
    eventually(SOON, "the binding is gone", async || {
        !doctor().await.contains("topology unbind")
    })
    .await;
}
