//! The hops of a chain, and where it is stuck.

use super::{trace_json, traced};
use crate::SOON;
use events::Role;
use serde_json::Value;
use test_support::{Stack, Unit, eventually, stack::Links};
use uuid::Uuid;

#[tokio::test]
async fn a_trace_shows_each_hop_and_where_it_is_stuck() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::ProfileConsumer])
        .await;
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "it is stuck at comm-service", async || {
        let output = traced(&stack, &user.email).await;
        output.contains("student.created is stuck at comm-service: in the queue")
    })
    .await;
    stack
        .start_units(&[Unit::AuthConsumer, Unit::CommConsumer])
        .await;
    let complete = eventually(SOON, "it is complete", async || {
        let output = traced(&stack, &user.user_id.to_string()).await;
        output.contains("complete in").then_some(output)
    })
    .await;
    // In the order of causality: an effect never stands above its cause.
    let mut rest = complete.as_str();
    for hop in [
        "known to auth-service, profile-service, comm-service",
        "auth.user.created  ",
        "auth     committed",
        "auth     published",
        "profile  handled",
        "student.created  ",
        "profile  committed",
        "profile  published",
        "comm     handled",
        "comm     told: Welcome to MedTrack! (unread)",
        "told (1 unread):",
        "unread  Welcome to MedTrack!",
    ] {
        rest = rest
            .split_once(hop)
            .unwrap_or_else(|| panic!("{hop}: {complete}"))
            .1;
    }
    assert!(
        !complete.contains(&user.email) && !complete.contains("Doe"),
        "only what was asked with names a person"
    );
    let trace = trace_json(&stack, &user.user_id.to_string()).await;
    assert_eq!(trace["kind"], "user_id");
    assert_eq!(trace["person"]["role"], "student");
    let chain = &trace["chains"][0];
    let hops = chain["events"].as_array().into_iter().flatten();
    let hops = hops.flat_map(|event| event["hops"].as_array().into_iter().flatten());
    assert!(hops.clone().count() >= 7 && hops.into_iter().all(|hop| hop["milliseconds"].is_i64()));
    assert_fields_are_stable(&trace);
    let correlation = chain["correlation_id"].as_str().unwrap();
    let by_correlation = traced(&stack, correlation).await;
    assert!(by_correlation.contains("complete in") && by_correlation.contains("request id"));
}

/// Programs read them.
fn assert_fields_are_stable(trace: &Value) {
    let event = &trace["chains"][0]["events"][0];
    for (value, fields) in [
        (
            trace,
            "chains choices kind more near notifications person subject",
        ),
        (
            &trace["person"],
            "encadrant_id role services student_id user_id",
        ),
        (&trace["person"]["services"][0], "record service"),
        (
            &trace["chains"][0],
            "began_at complete correlation_id events milliseconds",
        ),
        (event, "event_id hops publisher routing_key"),
        (&event["hops"][0], "at milliseconds service state what why"),
        (
            &trace["notifications"][0],
            "kind notification_id occurred_at read_at source_event title user_id written_at",
        ),
    ] {
        let object = value.as_object().unwrap_or_else(|| panic!("{trace:#}"));
        let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), fields);
    }
}

#[tokio::test]
async fn a_request_id_finds_what_the_request_began() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    let request_id = Uuid::now_v7();
    let response = reqwest::Client::new()
        .post(stack.client.url(test_support::client::REGISTER))
        .header("x-request-id", request_id.to_string())
        .json(&test_support::client::newcomer(Role::Student))
        .send()
        .await;
    assert_eq!(response.expect("the API answers").status(), 201);
    let trace = trace_json(&stack, &request_id.to_string()).await;
    assert_eq!(trace["kind"], "correlation_id");
    assert_eq!(
        trace["chains"][0]["events"][0]["routing_key"],
        "auth.user.created"
    );
}
