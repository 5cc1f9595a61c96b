//! What users do.

use events::Role;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Account, Mode, Stack, Unit,
    client::{PASSWORD, REGISTER, newcomer},
    eventually,
    stack::Links,
};

const LOGIN: &str = "/auth/api/v1/login";
const ME: &str = "/auth/api/v1/users/me";

async fn auth() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    stack
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

#[tokio::test]
async fn registration_and_log_in_answer_as_documented() {
    let stack = auth().await;
    let body = json!({
        "email": "Test.User@Example.com", "password": PASSWORD, "first_name": "Test", "last_name": "User",
        "role": "student", "phone": "+33 6 12 34 56 78", "locale": "fr",
    });
    let registered = stack.client.post(REGISTER, &body).await;
    assert_eq!(registered.status, 201);
    let redactions = || {
        insta::dynamic_redaction(|value, _| {
            assert!(value.as_str().is_some_and(|text| text.len() > 20));
            "[made]"
        })
    };
    insta::assert_json_snapshot!("logged_in", registered.body, {
        ".access_token" => redactions(), ".refresh_token" => redactions(),
        ".user.id" => redactions(), ".user.created_at" => redactions(), ".user.updated_at" => redactions(),
    });
    let credentials = json!({"email": " TEST.user@example.COM ", "password": PASSWORD});
    let logged_in = stack.client.post(LOGIN, &credentials).await;
    assert_eq!(logged_in.status, 200);
    insta::assert_json_snapshot!("logged_in", logged_in.body, {
        ".access_token" => redactions(), ".refresh_token" => redactions(),
        ".user.id" => redactions(), ".user.created_at" => redactions(), ".user.updated_at" => redactions(),
    });
    assert_ne!(
        registered.body["refresh_token"],
        logged_in.body["refresh_token"]
    );
    assert_eq!(stack.auth.count("users_session").await, 2);
    let token = logged_in.body["refresh_token"].as_str().unwrap();
    let kept = format!(
        "exists (select from users_session where refresh_token_hash = encode(sha256('{token}'), 'hex'))"
    );
    assert!(
        stack.auth.is(&kept).await,
        "only a digest of the refresh token is kept"
    );
}

#[tokio::test]
async fn names_are_optional_and_answered_empty() {
    let stack = auth().await;
    let body = json!({"email": "a@example.com", "password": PASSWORD, "role": "encadrant"});
    let user = stack.client.post(REGISTER, &body).await.body["user"].clone();
    assert_eq!(
        (&user["first_name"], &user["last_name"], &user["phone"]),
        (&json!(""), &json!(""), &json!(null))
    );
}

#[tokio::test]
async fn admin_cannot_be_self_registered() {
    let stack = auth().await;
    let refused = stack.client.post(REGISTER, &newcomer(Role::Admin)).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (403, &json!("ROLE_NOT_ALLOWED"))
    );
    for trick in [
        "ADMIN",
        "Admin",
        "admin ",
        " admin",
        "ａｄｍｉｎ",
        "admin\u{200b}",
        "root",
        "",
        "student,admin",
    ] {
        let refused = stack
            .client
            .post(REGISTER, &with(newcomer(Role::Student), "role", trick))
            .await;
        assert_eq!(refused.status, 400, "{trick:?}: {}", refused.body);
    }
    assert_eq!(stack.auth.count("users_user").await, 0);
    assert_eq!(stack.auth.count("outbox").await, 0);
    stack
        .process(Unit::Auth)
        .line("Registration with a role that is not allowed was refused")
        .await;
}

#[tokio::test]
async fn everything_wrong_is_told_at_once_and_nothing_is_written() {
    let stack = auth().await;
    let body = json!({"email": "nope", "password": "short", "first_name": 3, "last_name": "x".repeat(121),
                      "phone": "call me", "locale": "de", "role": "king", "is_admin": true, "id": "1"});
    let refused = stack.client.post(REGISTER, &body).await;
    assert_eq!(refused.status, 400);
    let fields: Vec<&String> = refused.body["errors"].as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "email",
            "first_name",
            "id",
            "is_admin",
            "last_name",
            "locale",
            "password",
            "phone",
            "role"
        ]
    );
    let empty = stack.client.post(REGISTER, &json!({})).await;
    assert_eq!(
        empty.body["detail"],
        "email: This field is required.; password: This field is required."
    );
    for weak in [
        "password1234",
        "medtrack12345",
        "aaaaaaaaaaaa",
        "john12345678",
    ] {
        let refused = stack
            .client
            .post(REGISTER, &with(newcomer(Role::Student), "password", weak))
            .await;
        assert_eq!(refused.status, 400, "{weak}");
    }
    assert_eq!(
        stack.auth.count("users_user").await + stack.auth.count("outbox").await,
        0
    );
}

#[tokio::test]
async fn of_many_identical_registrations_one_succeeds_and_one_event_is_written() {
    let stack = auth().await;
    let body = newcomer(Role::Student);
    let upper = with(
        body.clone(),
        "email",
        body["email"].as_str().unwrap().to_uppercase(),
    );
    let answers = join_all((0..20).map(|i| {
        stack
            .client
            .post(REGISTER, if i % 2 == 0 { &body } else { &upper })
    }))
    .await;
    let count = |status| {
        answers
            .iter()
            .filter(|response| response.status == status)
            .count()
    };
    assert_eq!((count(201), count(409)), (1, 19), "{answers:?}");
    let taken = answers
        .iter()
        .find(|response| response.status == 409)
        .unwrap();
    assert_eq!(taken.body["code"], "EMAIL_TAKEN");
    assert_eq!(stack.auth.count("users_user").await, 1);
    assert_eq!(stack.auth.count("outbox").await, 1);
}

#[tokio::test]
async fn wrong_unknown_and_disabled_have_one_answer() {
    let stack = auth().await;
    let (known, disabled) = (
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
        (known.email.as_str(), "another password"),
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
async fn from_the_fifth_failure_in_a_row_an_address_is_slowed_down_known_or_not() {
    let stack = auth().await;
    let account = stack.client.register(Role::Student).await;
    for email in [account.email.as_str(), "nobody@example.com"] {
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
    let right = json!({"email": account.email, "password": PASSWORD});
    eventually(
        Duration::from_secs(5),
        "the lock ends by itself",
        async || stack.client.post(LOGIN, &right).await.status == 200,
    )
    .await;
    assert_eq!(
        stack.auth.count("users_login_failure").await,
        1,
        "a log-in that works clears the account's failures"
    );
}

#[tokio::test]
async fn from_one_address_a_hundred_tries_may_fail_in_a_minute() {
    let stack = auth().await;
    let account = stack.client.register(Role::Student).await;
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
    let locked = login(&account.email, PASSWORD, "2001:db8::3").await;
    assert_eq!(locked.status(), 429);
    let wait: u64 = locked.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    for elsewhere in ["2001:db8:0:1::1", "192.0.2.1", "no address"] {
        assert_eq!(
            login(&account.email, PASSWORD, elsewhere).await.status(),
            200,
            "{elsewhere}"
        );
    }
    stack
        .auth
        .run("update users_login_address set since = since - interval '1 minute'")
        .await;
    assert_eq!(
        login(&account.email, PASSWORD, "2001:db8::1")
            .await
            .status(),
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

#[tokio::test]
async fn ones_own_account_and_nobody_elses() {
    let stack = auth().await;
    let account = stack.client.register(Role::Encadrant).await;
    let me = stack.client.get(ME, &account).await;
    assert_eq!((me.status, &me.body), (200, &account.body["user"]));
    assert_eq!(
        stack
            .client
            .ask(Method::GET, ME, None, None)
            .await
            .unwrap()
            .body["code"],
        "NO_TOKEN"
    );
    let refresh = Account {
        token: account.body["refresh_token"].as_str().unwrap().into(),
        ..account.clone()
    };
    assert_eq!(
        stack.client.get(ME, &refresh).await.body["code"],
        "INVALID_TOKEN",
        "a refresh token opens nothing"
    );
    stack
        .auth
        .run(&format!(
            "delete from users_user where id = '{}'",
            account.user_id
        ))
        .await;
    assert_eq!(stack.client.get(ME, &account).await.status, 404);
}

#[tokio::test]
async fn while_the_database_is_away_the_answer_is_503_and_afterwards_all_is_well() {
    let mut stack = Stack::prepare(Links::Proxied).await;
    stack.start_units(&[Unit::Auth]).await;
    stack.database_link(Unit::Auth).set(Mode::Refuse);
    let away = stack.client.post(REGISTER, &newcomer(Role::Student)).await;
    assert_eq!(
        (away.status, &away.body["code"]),
        (503, &json!("DATABASE_AWAY"))
    );
    stack.database_link(Unit::Auth).set(Mode::Pass);
    eventually(
        Duration::from_secs(5),
        "registration works again",
        async || {
            stack
                .client
                .post(REGISTER, &newcomer(Role::Student))
                .await
                .status
                == 201
        },
    )
    .await;
}

/// Whoever hangs up must not leave an open transaction that swallows what others write (sqlx 0.9.0).
#[tokio::test]
async fn clients_that_hang_up_cost_nobody_an_account() {
    let stack = auth().await;
    let impatient = reqwest::Client::builder()
        .timeout(Duration::from_millis(60))
        .build()
        .unwrap();
    let url = format!("http://{}{REGISTER}", stack.http(Unit::Auth));
    join_all((0..40).map(|_| impatient.post(&url).json(&newcomer(Role::Student)).send())).await;
    let answers = join_all((0..20).map(|_| stack.client.register(Role::Student))).await;
    for account in answers {
        assert!(
            stack
                .auth
                .is(&format!(
                    "exists (select from users_user where id = '{}')",
                    account.user_id
                ))
                .await
        );
    }
    let idle = "not exists (select from pg_stat_activity where datname = current_database() and state like 'idle in tr%')";
    eventually(
        Duration::from_secs(5),
        "no transaction is left open",
        async || stack.auth.is(idle).await,
    )
    .await;
}
