//! The hops of a chain and where it is stuck; a person's events, whoever published them, and what the person was told.

use crate::{
    SOON, json_of, medtrack,
    reconcile::{published, purge},
    replay::register,
    said, text,
};
use events::{Role, topology::COMM};
use serde_json::{Value, json};
use test_support::{Stack, Unit, User, eventually, stack::Links};
use uuid::Uuid;

/// A text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `trace` prints about a subject; every line fits into 80 columns.
async fn traced(stack: &Stack, subject: &str) -> String {
    let output = said(stack, &format!("trace {subject}")).await;
    assert_fits(&output);
    output
}

fn assert_fits(output: &str) {
    let mut lines = output.lines();
    let too_long = lines.find(|line| line.chars().count() > 80 && !line.contains("try:"));
    assert_eq!(too_long, None, "{output}");
}

async fn trace_json(stack: &Stack, subject: &str) -> Value {
    json_of(stack, &format!("trace {subject} --json")).await
}

/// The state and the advice of an event's hop at a service.
fn fate(trace: &Value, event_id: &str, service: &str) -> (String, String) {
    let chains = trace["chains"].as_array().into_iter().flatten();
    let mut events = chains.flat_map(|chain| chain["events"].as_array().into_iter().flatten());
    let event = events.find(|event| event["event_id"] == event_id);
    let event = event.unwrap_or_else(|| panic!("no event {event_id}: {trace:#}"));
    let hops = event["hops"].as_array().into_iter().flatten();
    let mut states = hops.filter(|hop| {
        hop["service"] == service
            && !["committed", "published", "notified"]
                .map(Value::from)
                .contains(&hop["state"])
    });
    let hop = states
        .next()
        .unwrap_or_else(|| panic!("{service}: {event:#}"));
    let text = |name: &str| hop[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("try"))
}

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

/// A student whom comm-service has welcomed, with the id of the profile.
async fn student(stack: &Stack) -> (User, String) {
    let user = register(stack, Role::Student).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    let query = format!(
        "select id from profiles_student where user_id = '{}'",
        user.user_id
    );
    let student_id = stack.profile.value(&query).await;
    (user, student_id)
}

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
