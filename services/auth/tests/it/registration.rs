//! Registration.

use crate::{LOGIN, auth};
use events::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Mode, Stack, Unit,
    client::{PASSWORD, REGISTER, anybody, newcomer},
    eventually,
    stack::Links,
};

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
        ".access_token" => redactions(), ".refresh_token" => redactions(), ".device" => redactions(),
        ".user.id" => redactions(), ".user.created_at" => redactions(), ".user.updated_at" => redactions(),
    });
    let credentials = json!({"email": " TEST.user@example.COM ", "password": PASSWORD});
    let logged_in = stack.client.post(LOGIN, &credentials).await;
    assert_eq!(logged_in.status, 200);
    insta::assert_json_snapshot!("logged_in", logged_in.body, {
        ".access_token" => redactions(), ".refresh_token" => redactions(), ".device" => redactions(),
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
    assert_eq!(stack.auth.count("users_user").await, 0);
    assert_eq!(stack.auth.count("outbox").await, 0);
    stack
        .process(Unit::Auth)
        .line("Registration with a role that is not allowed was refused")
        .await;
}

#[tokio::test]
async fn all_wrong_fields_are_reported_at_once_and_nothing_is_written() {
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
async fn while_the_database_is_away_the_response_is_503_and_afterwards_registration_works() {
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

/// A client that disconnects must not leave an open transaction, in which later writes would be lost (sqlx 0.9.0).
#[tokio::test]
async fn clients_that_disconnect_lose_no_other_registration() {
    let stack = auth().await;
    let impatient = reqwest::Client::builder()
        .timeout(Duration::from_millis(60))
        .build()
        .unwrap();
    let url = format!("http://{}{REGISTER}", stack.http(Unit::Auth));
    let request = || impatient.post(&url).header("x-forwarded-for", anybody());
    join_all((0..40).map(|_| request().json(&newcomer(Role::Student)).send())).await;
    let bodies = (0..20).map(|_| newcomer(Role::Student));
    let answers = join_all(bodies.map(async |body| stack.client.post(REGISTER, &body).await)).await;
    for answer in answers {
        // A slow machine has no time for some.
        if answer.status == 503 {
            continue;
        }
        assert_eq!(answer.status, 201, "{}", answer.body);
        let id = &answer.body["user"]["id"].as_str().expect("an id");
        let stored = format!("exists (select from users_user where id = '{id}')");
        assert!(stack.auth.is(&stored).await);
    }
    eventually(Duration::from_secs(10), "one registers", async || {
        let answer = stack.client.post(REGISTER, &newcomer(Role::Student)).await;
        answer.status == 201
    })
    .await;
    let idle = "not exists (select from pg_stat_activity where datname = current_database() and state like 'idle in tr%')";
    eventually(
        Duration::from_secs(5),
        "no transaction is left open",
        async || stack.auth.is(idle).await,
    )
    .await;
}

/// Whoever registers as an encadrant would read about all students.
#[tokio::test]
async fn in_production_people_register_as_students_only() {
    let mut stack = Stack::prepare(Links::Direct).await;
    for (variable, value) in [
        ("MEDTRACK_ENV", "production"),
        ("PUBLIC_URL", "https://medtrack.example"),
        ("MAIL_URL", "none"),
        (
            "AMQP_URL",
            "amqp://auth-service:password-of-a-test@127.0.0.1:1/x",
        ),
    ] {
        stack.set(variable, value);
    }
    stack.start_units(&[Unit::Auth]).await;
    let refused = stack
        .client
        .post(REGISTER, &newcomer(Role::Encadrant))
        .await;
    let answer = (refused.status, &refused.body["code"]);
    assert_eq!(answer, (403, &json!("ROLE_NOT_ALLOWED")));
    let student = stack.client.register(Role::Student).await.body;
    assert_eq!(student["user"]["role"], "student");
}
