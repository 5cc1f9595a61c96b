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
        stack.auth.count("users_login_failure").await,
        1,
        "a log-in that works clears the user's failures"
    );
}

#[tokio::test]
async fn from_one_address_a_hundred_tries_may_fail_in_a_minute() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let url = stack.client.url(LOGIN);
    let login = async |email: &str, password: &str, forwarded: &str| {
        let body = json!({"email": email, "password": password});
        let ask = reqwest::Client::new()
            .post(&url)
            .header("x-forwarded-for", forwarded)
            .json(&body);
        ask.send().await.unwrap()
    };
    // What comes before the gateway's own word is the client's, and may be anything.
    assert_eq!(
        login(
            "first@example.com",
            "a wrong password",
            "192.0.2.1, 2001:db8::1"
        )
        .await
        .status(),
        401
    );
    stack
        .auth
        .run("update users_login_address set failures = 99")
        .await;
    assert_eq!(
        login("other@example.com", "a wrong password", "2001:db8::2")
            .await
            .status(),
        401,
        "the hundredth"
    );
    let locked = login(&user.email, PASSWORD, "2001:db8::3").await;
    assert_eq!(locked.status(), 429);
    let wait: u64 = locked.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    for elsewhere in ["2001:db8:0:1::1", "192.0.2.1", "no address"] {
        assert_eq!(
            login(&user.email, PASSWORD, elsewhere).await.status(),
            200,
            "{elsewhere}"
        );
    }
    stack
        .auth
        .run("update users_login_address set since = since - interval '1 minute'")
        .await;
    assert_eq!(
        login(&user.email, PASSWORD, "2001:db8::1").await.status(),
        200,
        "the minute is over"
    );
    assert_eq!(
        login("first@example.com", "a wrong password", "2001:db8::1")
            .await
            .status(),
        401
    );
    assert_eq!(
        stack
            .auth
            .count("users_login_address where failures = 1")
            .await,
        1,
        "a new minute"
    );
}
