//! An event that was published and that its reader never received.

use super::{fate, student, trace_json, traced, words};
use crate::{
    SOON,
    reconcile::{published, purge},
    replay::register,
    said,
};
use events::{Role, topology::COMM};
use test_support::{Stack, Unit, eventually};

#[tokio::test]
async fn an_event_that_nobody_has_is_missing_and_the_advice_brings_it_back() {
    let mut stack = Stack::start().await;
    stack.stop(Unit::CommConsumer, SOON).await;
    let user = register(&stack, Role::Student).await;
    let query = format!(
        "select event_id from outbox where routing_key = 'student.created' and aggregate_id = (
             select id from profiles_student where user_id = '{}')",
        user.user_id
    );
    let event_id = stack.profile.value(&query).await;
    let queued = trace_json(&stack, &user.email).await;
    assert_eq!(fate(&queued, &event_id, "comm").0, "queued", "{queued:#}");
    purge(&stack, COMM.queue.name).await;
    let on_its_way = trace_json(&stack, &user.email).await;
    assert_eq!(fate(&on_its_way, &event_id, "comm").0, "under_way");
    // As if it had been published long ago.
    stack
        .profile
        .run("update outbox set published_at = published_at - interval '2 minutes'")
        .await;
    let answer = traced(&stack, &user.email).await;
    assert!(
        answer.contains("student.created is stuck at comm-service: missing"),
        "{answer}"
    );
    stack.start_units(&[Unit::CommConsumer]).await;
    student(&stack).await;
    // The queue holds an event, but not this one: a later one has passed it.
    stack.stop(Unit::CommConsumer, SOON).await;
    register(&stack, Role::Student).await;
    let passed = traced(&stack, &event_id).await;
    assert!(
        words(&passed).contains("later events have passed it in its queue"),
        "{passed}"
    );
    stack.start_units(&[Unit::CommConsumer]).await;
    let (state, advice) = fate(&trace_json(&stack, &event_id).await, &event_id, "comm");
    assert_eq!(state, "missing");
    assert!(
        advice.starts_with("./medtrack events replay --since "),
        "{advice}"
    );
    said(&stack, advice.trim_start_matches("./medtrack ")).await;
    published(&stack.profile).await;
    eventually(SOON, "it is complete", async || {
        traced(&stack, &user.email).await.contains("complete in")
    })
    .await;
    assert_eq!(stack.client.notifications(&user).await.len(), 1);
}
