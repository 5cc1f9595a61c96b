//! Requests that are sent again because the answer was lost.

use crate::{LOGIN, admin, auth};
use events::Role;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{
    Stack, User,
    client::{Answer, PASSWORD, REGISTER, newcomer},
};
use uuid::Uuid;

const USERS: &str = "/auth/api/v1/users";

async fn post(stack: &Stack, path: &str, user: Option<&User>, key: &str, body: &Value) -> Answer {
    let request = reqwest::Client::new().post(stack.client.url(path));
    let request = request.header("Idempotency-Key", key).json(body);
    let request = match user {
        Some(user) => request.bearer_auth(&user.token),
        None => request,
    };
    let response = request.send().await.expect("auth-service answers");
    Answer {
        status: response.status().as_u16(),
        body: response.json().await.expect("JSON"),
    }
}

fn key() -> String {
    Uuid::new_v4().to_string()
}

#[tokio::test]
async fn a_registration_that_is_sent_again_registers_once_and_has_new_tokens() {
    let stack = auth().await;
    let (key, body) = (key(), newcomer(Role::Student));
    let first = post(&stack, REGISTER, None, &key, &body).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let again = post(&stack, REGISTER, None, &key, &body).await;
    assert_eq!(
        (again.status, &again.body["user"]),
        (201, &first.body["user"])
    );
    for token in ["access_token", "refresh_token"] {
        assert_ne!(again.body[token], first.body[token]);
    }
    let refresh = json!({"refresh_token": again.body["refresh_token"]});
    let refreshed = stack.client.post("/auth/api/v1/refresh", &refresh).await;
    assert_eq!(refreshed.status, 200);
    for (table, count) in [
        ("users_user", 1),
        ("outbox", 1),
        ("users_audit", 1),
        ("users_session", 2),
    ] {
        assert_eq!(stack.auth.count(table).await, count, "{table}");
    }
    let without = stack.client.post(REGISTER, &body).await;
    assert_eq!(without.body["code"], "EMAIL_TAKEN", "without the key");
}

#[tokio::test]
async fn another_body_with_the_same_key_is_refused() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let key = key();
    let first = newcomer(Role::Student);
    assert_eq!(post(&stack, REGISTER, None, &key, &first).await.status, 201);
    let mut other = first.clone();
    other["first_name"] = json!("Another");
    for body in [other, newcomer(Role::Student)] {
        let refused = post(&stack, REGISTER, None, &key, &body).await;
        let (status, code) = (refused.status, &refused.body["code"]);
        assert_eq!((status, code), (409, &json!("KEY_REUSED")));
    }
    // The key of another route or of another user is another key.
    let created = post(&stack, USERS, Some(&admin), &key, &newcomer(Role::Student)).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let encadrant = stack.client.register(Role::Encadrant).await;
    let created = post(
        &stack,
        USERS,
        Some(&encadrant),
        &key,
        &newcomer(Role::Student),
    )
    .await;
    assert_eq!(created.status, 201, "{}", created.body);
}

#[tokio::test]
async fn concurrent_repeats_have_one_effect() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    for (path, user) in [(REGISTER, None), (USERS, Some(&admin))] {
        let (key, body) = (key(), newcomer(Role::Student));
        let repeats = (0..8).map(|_| post(&stack, path, user, &key, &body));
        let answers = join_all(repeats).await;
        let id = |answer: &Answer| {
            let user = answer.body.get("user").unwrap_or(&answer.body);
            user["id"].clone()
        };
        let ids: Vec<Value> = answers.iter().map(id).collect();
        assert!(
            answers.iter().all(|answer| answer.status == 201),
            "{path}: {answers:?}"
        );
        assert!(
            ids.iter()
                .all(|other| *other == ids[0] && other.is_string()),
            "{path}"
        );
        let events = format!("outbox where aggregate_id = '{}'", ids[0].as_str().unwrap());
        assert_eq!(stack.auth.count(&events).await, 1, "{path}");
    }
}

#[tokio::test]
async fn a_request_that_was_refused_may_be_sent_again_with_its_key() {
    let stack = auth().await;
    let taken = stack.client.register(Role::Student).await;
    let (key, mut body) = (key(), newcomer(Role::Student));
    body["email"] = json!(taken.email);
    let refused = post(&stack, REGISTER, None, &key, &body).await;
    assert_eq!(refused.body["code"], "EMAIL_TAKEN");
    body["email"] = json!("free@example.com");
    assert_eq!(post(&stack, REGISTER, None, &key, &body).await.status, 201);
    let malformed = post(&stack, REGISTER, None, "not-a-uuid", &body).await;
    assert_eq!(malformed.status, 400);
    assert!(malformed.body["errors"]["Idempotency-Key"].is_array());
}

#[tokio::test]
async fn a_repeat_opens_no_session_for_a_user_who_may_not_log_in() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let (key, body) = (key(), newcomer(Role::Student));
    let first = post(&stack, REGISTER, None, &key, &body).await;
    let id = first.body["user"]["id"].as_str().unwrap();
    let path = format!("{USERS}/{id}");
    let change = async |method: Method, body: Value| {
        let asked = stack
            .client
            .ask(method, &path, Some(&admin.token), Some(&body));
        asked.await.expect("an answer").status
    };
    assert_eq!(
        change(Method::PATCH, json!({"is_active": false})).await,
        200
    );
    let disabled = post(&stack, REGISTER, None, &key, &body).await;
    assert_eq!(disabled.body["code"], "INVALID_CREDENTIALS");
    assert_eq!(change(Method::PATCH, json!({"is_active": true})).await, 200);
    let none = "update users_user set password_hash = '!' where role = 'student'";
    stack.auth.run(none).await;
    let changed = post(&stack, REGISTER, None, &key, &body).await;
    assert_eq!(
        changed.body["code"], "INVALID_CREDENTIALS",
        "another password"
    );
    assert_eq!(change(Method::DELETE, json!({})).await, 204);
    let gone = post(&stack, REGISTER, None, &key, &body).await;
    assert_eq!(
        (gone.status, &gone.body["code"]),
        (404, &json!("NOT_FOUND"))
    );
}

#[tokio::test]
async fn nothing_of_a_request_can_be_read_from_its_key() {
    let stack = auth().await;
    let (key, body) = (key(), newcomer(Role::Student));
    assert_eq!(post(&stack, REGISTER, None, &key, &body).await.status, 201);
    let row = stack
        .auth
        .value("select row_to_json(k)::text from request_key k")
        .await;
    for text in [&key, PASSWORD, body["email"].as_str().unwrap()] {
        assert!(!row.contains(text), "{row}");
    }
    let login = json!({"email": body["email"], "password": PASSWORD});
    assert_eq!(stack.client.post(LOGIN, &login).await.status, 200);
}
