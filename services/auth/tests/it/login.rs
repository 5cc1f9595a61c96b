//! Log-in, and the limits of failed log-ins.

use crate::{LOGIN, auth};
use events::Role;
use serde_json::json;
use std::time::Duration;
use test_support::{client::PASSWORD, eventually};

#[tokio::test]
async fn wrong_unknown_and_disabled_have_one_answer() {
    let stack = auth().await;
    let (existing, disabled) = (
        stack.client.register(Role::Student).await,
        stack.client.register(Role::Student).await,
    );
    stack
        .auth
        .run(&format!(
            "update users_user set is_active = false where id = '{}'",
            disabled.user_id
        ))
        .await;
    let mut answers = Vec::new();
    for (email, password) in [
        (existing.email.as_str(), "another password"),
        ("nobody@example.com", PASSWORD),
        (disabled.email.as_str(), PASSWORD),
        ("not an address", PASSWORD),
    ] {
        let mut response = stack
            .client
            .post(LOGIN, &json!({"email": email, "password": password}))
            .await;
        response.body["request_id"].take();
        answers.push((response.status, response.body));
    }
    assert_eq!(answers[0].0, 401);
    assert_eq!(answers[0].1["code"], "INVALID_CREDENTIALS");
    assert!(
        answers.iter().all(|response| *response == answers[0]),
        "{answers:#?}"
    );
}

#[tokio::test]
async fn after_five_failures_in_a_row_an_e_mail_is_locked_whether_a_user_has_it_or_not() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    for email in [user.email.as_str(), "nobody@example.com"] {
        let wrong = json!({"email": email, "password": "a wrong password"});
        for _ in 0..5 {
            assert_eq!(stack.client.post(LOGIN, &wrong).await.status, 401);
        }
        let locked = stack.client.post(LOGIN, &wrong).await;
        assert_eq!(
            (locked.status, &locked.body["code"]),
            (429, &json!("TOO_MANY_ATTEMPTS")),
            "{email}"
        );
    }
    let right = json!({"email": user.email, "password": PASSWORD});
    eventually(
        Duration::from_secs(5),
        "the lock ends by itself",
        async || stack.client.post(LOGIN, &right).await.status == 200,
    )
    .await;
    assert_eq!(
        stack.auth.count("users_login_client").await,
        1,
        "a log-in that works clears the client's failures"
    );
}
