//! profile-service from outside.

mod creation;
mod dashboard;
mod establishments;
mod fixture;
mod own;
mod people;
mod publishers;
mod repeats;
mod roles;
mod services;
mod stub;

use events::Role;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Stack, Unit,
    client::{REGISTER, newcomer},
    eventually, openapi,
    process::is_ready,
    stack::Links,
    vhost::Message,
};

const ME: &str = "/profile/api/me";

#[tokio::test]
async fn a_profile_follows_the_registration() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth, Unit::Profile]).await;
    let (student, encadrant) = (
        stack.client.register(Role::Student).await,
        stack.client.register(Role::Encadrant).await,
    );
    let early = stack.client.get(ME, &student).await;
    assert_eq!(
        (early.status, &early.body["code"]),
        (404, &json!("NOT_FOUND"))
    );
    assert!(early.body["hint"].is_string(), "{}", early.body);

    stack.start_units(&[Unit::ProfileConsumer]).await;
    for user in [student, encadrant] {
        let profile = eventually(Duration::from_secs(5), "a profile", async || {
            let response = stack.client.get(ME, &user).await;
            (response.status == 200).then_some(response.body)
        })
        .await;
        assert_eq!(profile["user_id"], user.user_id.to_string());
        for field in ["email", "first_name", "last_name", "phone", "role"] {
            assert_eq!(profile[field], user.body["user"][field], "{field}");
        }
    }
    let anonymous = stack.client.ask(reqwest::Method::GET, ME, None, None).await;
    assert_eq!(anonymous.map(|response| response.status).ok(), Some(401));
}

/// Without a key, every request with a token would be answered with 503; with an old one, most are not.
#[tokio::test]
async fn the_api_is_ready_once_it_has_a_key_of_auth_service_and_stays_so() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.spawn(&[Unit::Profile]);
    let internal = stack.internal(Unit::Profile);
    let reason = async || {
        let url = format!("http://{internal}/health/ready");
        let report: Value = reqwest::get(url).await.ok()?.json().await.ok()?;
        report["checks"]["keys"].as_str().map(str::to_owned)
    };
    let soon = Duration::from_secs(5);
    let first = eventually(soon, "it answers", reason).await;
    assert_eq!(first, "no public key of auth-service has come yet");
    assert!(!is_ready(internal).await);
    stack.start_units(&[Unit::Auth]).await;
    eventually(soon, "it is ready", async || is_ready(internal).await).await;
    stack.kill(Unit::Auth).await;
    assert!(is_ready(internal).await, "it keeps the keys that it has");
}

#[tokio::test]
async fn the_openapi_document_is_true() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth, Unit::Profile]).await;
    let user = fixture::administrator(&stack).await;
    openapi::assert_described(
        &stack.client,
        &user,
        "profile",
        &profile_service::http::openapi(),
    )
    .await;
}

#[tokio::test]
async fn the_trace_of_a_request_continues_in_its_event_and_in_the_event_that_follows() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::ProfileConsumer])
        .await;
    let (first, second) = (
        stack.vhost.tap("auth.user.created").await,
        stack.vhost.tap("student.created").await,
    );
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = newcomer(Role::Student);
    for sent in [traceparent, "00-not-a-trace"] {
        let body = json!({"email": format!("{}{}", sent.len(), body["email"].as_str().unwrap()),
                          "password": body["password"]});
        let request = reqwest::Client::new()
            .post(stack.client.url(REGISTER))
            .header("traceparent", sent)
            .json(&body);
        assert_eq!(request.send().await.unwrap().status(), 201);
        let of_user = |event: &Message| event.json()["payload"]["email"] == body["email"];
        for tap in [&first, &second] {
            let meta = tap.hear(of_user).await.json()["_meta"].clone();
            let expected = (sent == traceparent).then_some(traceparent);
            assert_eq!(meta["traceparent"].as_str(), expected, "{meta}");
        }
    }
}
