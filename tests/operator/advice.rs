//! After a loss the doctor says which command brings it back, and the tests type just that.

use crate::{
    SOON, json_of, medtrack,
    reconcile::{let_a_minute_pass, published, welcomed},
    replay::{register, unbind},
    said, text,
};
use events::{Role, topology::COMM};
use serde_json::Value;
use std::{cell::Cell, time::Duration};
use test_support::{Stack, Unit, eventually};

/// How long the doctor may take: RabbitMQ's management tells of the last seconds, and each visit has many checks.
const DOCTOR: Duration = Duration::from_secs(60);

/// Waits until the doctor finds something, and returns what it says to try.
async fn advice(stack: &Stack, finding: &str) -> String {
    eventually(DOCTOR, finding, async || {
        let output = medtrack(stack, "doctor --json").await;
        let findings: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        let mut findings = findings.as_array().into_iter().flatten();
        let finding = findings.find(|one| {
            one["what"]
                .as_str()
                .is_some_and(|what| what.contains(finding))
        })?;
        Some(finding["try"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

/// Runs a command as it is advised.
async fn follow(stack: &Stack, command: &str) -> String {
    let arguments = command.strip_prefix("./medtrack ");
    said(
        stack,
        arguments.unwrap_or_else(|| panic!("a command: {command}")),
    )
    .await
}

/// What was published lately may be under way, so the doctor passes over it.
async fn let_half_a_minute_pass(stack: &Stack) {
    for database in [&stack.auth, &stack.profile] {
        database
            .run("update outbox set published_at = published_at - interval '40 seconds'")
            .await;
    }
}

async fn is_bound(stack: &Stack, pattern: &str) -> bool {
    let queues = json_of(stack, "queues --json").await;
    let mut queues = queues.as_array().into_iter().flatten();
    let queue = queues.find(|queue| queue["name"] == COMM.queue.name);
    let bindings = queue.and_then(|queue| queue["bindings"].as_array());
    bindings.is_some_and(|bindings| bindings.iter().any(|binding| binding == pattern))
}

#[tokio::test]
async fn a_binding_removed_under_load_is_back_untouched_and_the_advice_brings_back_what_was_missed()
{
    let stack = Stack::start().await;
    let is_over = Cell::new(false);
    let load = async {
        let mut users = 0;
        while !is_over.get() {
            stack.client.register(Role::Student).await;
            users += 1;
        }
        users
    };
    let fault = async {
        unbind(&stack, "student.*").await;
        assert!(!is_bound(&stack, "student.*").await);
        eventually(SOON, "it is bound again", async || {
            is_bound(&stack, "student.*").await
        })
        .await;
        is_over.set(true);
    };
    let (users, ()) = tokio::join!(load, fault);
    let last = register(&stack, Role::Student).await;
    welcomed(&stack, &last).await;
    let users = users + 1;
    eventually(SOON, "all profiles", async || {
        stack.profile.count("profiles_student").await == users
    })
    .await;
    published(&stack.profile).await;
    let notifications = "communications_notification";
    let missed = users - stack.comm.count(notifications).await;
    assert!(missed > 0, "events were lost for want of a binding");

    let_half_a_minute_pass(&stack).await;
    let finding = format!("comm-service has missed {missed} events that are kept");
    let done = follow(&stack, &advice(&stack, &finding).await).await;
    assert!(done.contains(&format!("{missed} of ")), "{done}");
    eventually(SOON, "nothing is lost", async || {
        stack.comm.count(notifications).await == users
    })
    .await;
    let welcomed_users = "select count(distinct user_id) from communications_notification";
    assert_eq!(stack.comm.value(welcomed_users).await, users.to_string());
    published(&stack.profile).await;
    let_half_a_minute_pass(&stack).await;
    advice(&stack, "comm-service has received all events").await;
}

#[tokio::test]
async fn what_has_no_text_any_more_is_announced_again_as_the_doctor_advises() {
    let mut stack = Stack::start().await;
    stack.stop(Unit::CommConsumer, SOON).await;
    unbind(&stack, "student.*").await;
    let student = register(&stack, Role::Student).await;
    let bind = advice(&stack, "comm.events is not bound to").await;
    let (apply, _) = bind.split_once(", then ").expect("two commands");
    follow(&stack, apply).await;
    stack.start_units(&[Unit::CommConsumer]).await;

    // As an older version left it, which kept no texts.
    stack
        .profile
        .run("update outbox set envelope = null where published_at is not null")
        .await;
    let_half_a_minute_pass(&stack).await;
    let_a_minute_pass(&stack).await;
    let reconcile = advice(
        &stack,
        "comm-service has missed 1 events whose text is gone",
    )
    .await;
    assert_eq!(reconcile, "./medtrack reconcile --fix");
    follow(&stack, &reconcile).await;
    welcomed(&stack, &student).await;
    assert_eq!(stack.comm.count("communications_notification").await, 1);
    published(&stack.profile).await;
    let_half_a_minute_pass(&stack).await;
    advice(&stack, "comm-service has received all events").await;
}
