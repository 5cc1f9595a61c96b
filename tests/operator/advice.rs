//! After a loss the doctor says which command brings it back, and the tests type just that.

mod faults;
mod launcher;
mod users;

use crate::{
    SOON,
    findings::{DOCTOR, commands, findings, well},
    json_of,
    reconcile::{let_a_minute_pass, published, welcomed},
    replay::{register, unbind},
    said,
};
use events::{Role, topology::COMM};
use std::cell::Cell;
use test_support::{Stack, Unit, eventually};

/// Waits until the doctor finds something about a service, and returns the commands that it advises.
async fn advice(stack: &Stack, id: &str, what: &str) -> Vec<String> {
    eventually(DOCTOR, what, async || {
        let findings = findings(stack).await;
        let finding = findings.get(id)?;
        let said = finding["what"].as_str().unwrap_or_default();
        said.contains(what).then(|| commands(finding))
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
    let noun = if missed == 1 { "event" } else { "events" };
    let finding = format!("comm-service has missed {missed} {noun}:");
    let [replay] = &advice(&stack, "events_missed", &finding).await[..] else {
        panic!("one command brings them back");
    };
    let done = follow(&stack, replay).await;
    assert!(done.contains(&format!("{missed} of ")), "{done}");
    eventually(SOON, "nothing is lost", async || {
        stack.comm.count(notifications).await == users
    })
    .await;
    let welcomed_users = "select count(distinct user_id) from communications_notification";
    assert_eq!(stack.comm.value(welcomed_users).await, users.to_string());
    published(&stack.profile).await;
    let_half_a_minute_pass(&stack).await;
    well(&stack).await;
}

#[tokio::test]
async fn what_has_no_text_any_more_is_announced_again_as_the_doctor_advises() {
    let mut stack = Stack::start().await;
    stack.stop(Unit::CommConsumer, SOON).await;
    unbind(&stack, "student.*").await;
    let student = register(&stack, Role::Student).await;
    let bind = advice(
        &stack,
        "binding_missing",
        "comm.events is not bound to student.*",
    )
    .await;
    assert_eq!(bind, ["./medtrack topology apply", "./medtrack doctor"]);
    follow(&stack, &bind[0]).await;
    stack.start_units(&[Unit::CommConsumer]).await;

    // As an older version left it, which kept no texts.
    stack
        .profile
        .run("update outbox set envelope = null where published_at is not null")
        .await;
    let_half_a_minute_pass(&stack).await;
    let_a_minute_pass(&stack).await;
    let missed = "comm-service has missed 1 event whose text is not kept any more";
    let reconcile = advice(&stack, "events_missed_without_text", missed).await;
    assert_eq!(reconcile, ["./medtrack reconcile --fix"]);
    follow(&stack, &reconcile[0]).await;
    welcomed(&stack, &student).await;
    assert_eq!(stack.comm.count("communications_notification").await, 1);
    published(&stack.profile).await;
    let_half_a_minute_pass(&stack).await;
    well(&stack).await;
}
