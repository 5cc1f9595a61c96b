//! The events about a person, of every publisher, and what the person was told. A name that several persons have
//! leads to a choice.

use super::{assert_fits, fate, student, trace_json, traced, words};
use crate::{SOON, medtrack, text};
use events::Role;
use serde_json::{Value, json};
use test_support::{Stack, Unit, eventually, stack::Links};
use uuid::Uuid;

/// Publishes an event of another system; its publisher gives it an id.
async fn publish(stack: &Stack, key: &str, payload: Value) -> String {
    let event_id = Uuid::now_v7().to_string();
    let meta = json!({"event_id": event_id, "timestamp": "2026-01-05T10:00:00Z", "source": "core-service"});
    let body = json!({"payload": payload, "_meta": meta}).to_string();
    stack.vhost.publish(key, body).await;
    event_id
}

#[tokio::test]
async fn a_person_is_found_by_everything_with_the_events_of_other_publishers() {
    let stack = Stack::start().await;
    let (user, student_id) = student(&stack).await;
    let about = |student: &str| json!({"stage_id": Uuid::now_v7(), "student_id": student});
    let handled = publish(&stack, "stage.created", about(&student_id)).await;
    let mistaken = publish(&stack, "stage.accepted", about(&user.user_id.to_string())).await;
    let dead = publish(&stack, "evaluation.created", about(&student_id)).await;
    let nobodys = publish(&stack, "stage.started", about(&Uuid::now_v7().to_string())).await;
    eventually(
        SOON,
        "two wait, one is dead, two notifications",
        async || {
            stack
                .comm
                .count("parked_event where state = 'waiting'")
                .await
                == 2
                && stack.comm.count("parked_event where state = 'dead'").await == 1
                && stack.comm.count("communications_notification").await == 2
        },
    )
    .await;

    let answer = traced(&stack, &user.email).await;
    for expected in [
        format!("student id {student_id}"),
        "stage.created".into(),
        "stage.accepted is stuck at comm-service: waits for student".into(),
        "evaluation.created is stuck at comm-service: dead (bad_payload)".into(),
        "published by core-service".into(),
        "unread  New Stage Assignment".into(),
        "told (2 unread):".into(),
    ] {
        assert!(answer.contains(&expected), "{expected}: {answer}");
    }
    let mistake = format!(
        "this is the id of a user, sent as student_id, not of a student; the student_id of this user is {student_id}"
    );
    assert!(words(&answer).contains(&mistake), "{answer}");

    let name = "John";
    for (subject, kind) in [
        (student_id.as_str(), "student_id"),
        (name, "name"),
        (&user.email[..12], "name"),
        (&user.email.to_uppercase(), "email"),
    ] {
        let trace = trace_json(&stack, subject).await;
        assert_eq!(trace["kind"], kind, "{subject}");
        assert_eq!(trace["person"]["user_id"], json!(user.user_id), "{subject}");
        assert_eq!(trace["notifications"].as_array().map(Vec::len), Some(2));
    }
    // By the id that the publisher gave, although consumers derive another one from it.
    for (event_id, state) in [
        (&handled, "handled"),
        (&mistaken, "waiting"),
        (&dead, "dead"),
        (&nobodys, "waiting"),
    ] {
        let trace = trace_json(&stack, event_id).await;
        assert_eq!(trace["kind"], "event_id", "{trace:#}");
        let stored = trace["chains"][0]["events"][0]["event_id"]
            .as_str()
            .unwrap();
        assert_eq!(fate(&trace, stored, "comm").0, state);
    }
    let unknown = traced(&stack, &nobodys).await;
    assert!(
        words(&unknown).contains("no service knows such a student"),
        "{unknown}"
    );

    let notification = stack.client.notifications(&user).await[0].clone();
    let id = notification["id"].as_str().unwrap();
    let path = format!("/comm/api/notifications/{id}/read");
    let read = stack
        .client
        .ask(reqwest::Method::POST, &path, Some(&user.token), None);
    let status = read.await.expect("the API answers").status;
    assert!((200..300).contains(&status), "{path}: {status}");
    let trace = trace_json(&stack, id).await;
    assert_eq!(trace["kind"], "notification_id");
    assert!(
        trace["notifications"][0]["read_at"].is_string(),
        "{trace:#}"
    );
    assert!(!trace["chains"][0]["events"][0]["hops"][0].is_null());
}

#[tokio::test]
async fn choices_and_near_addresses_are_offered_and_what_can_be_searched_is_said() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    let first = stack.client.register(Role::Student).await;
    let second = stack.client.register(Role::Encadrant).await;
    let choices = traced(&stack, "john doe").await;
    for user in [&first, &second] {
        let id = user.user_id.to_string();
        assert!(
            choices.contains(&user.email) && choices.contains(&id),
            "{choices}"
        );
    }
    assert!(choices.contains("try: ./medtrack trace "), "{choices}");

    let mistyped = format!("{}x{}", &first.email[..3], &first.email[3..]);
    for (subject, expected) in [
        (mistyped.as_str(), first.email.as_str()),
        ("nobody@example.org", "trace finds a person by e-mail"),
        ("100%", "nothing is stored"),
        (
            "01a20942-4f9c-77ab-96e5-4bc61d4632b2",
            "stands in the logs only",
        ),
    ] {
        let output = medtrack(&stack, &format!("trace {subject}")).await;
        let said = text(&output);
        assert_fits(&said);
        assert!(
            !output.status.success() && said.contains(expected),
            "{said}"
        );
        assert!(!said.contains("dead list"), "{said}");
    }
}
