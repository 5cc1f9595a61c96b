//! Revoked sessions: whose access tokens are refused, by which service, and how soon.

use chrono::{TimeDelta, Utc};
use events::{EventId, Role};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Mode, Signer, Stack, Unit, User,
    client::{self, PASSWORD},
    eventually,
    stack::Links,
    tokens,
};
use tokio::time::Instant;
use uuid::Uuid;

/// How long it may take until an event has reached all processes.
const SOON: Duration = Duration::from_secs(2);
const AUTH: &str = "/auth/api/v1/users/me";
/// What the readers of the event answer to.
const READERS: [&str; 2] = ["/profile/api/me", "/comm/api/notifications/"];

async fn log_in(stack: &Stack, user: &User) -> User {
    let credentials = json!({"email": user.email, "password": PASSWORD});
    let response = stack.client.post("/auth/api/v1/login", &credentials).await;
    assert_eq!(response.status, 200, "{}", response.body);
    client::user(response.body)
}

/// Whether a service refuses the user's token as it must.
async fn is_refused(stack: &Stack, path: &str, user: &User) -> bool {
    let response = stack.client.get(path, user).await;
    let is_refused = response.status == 401;
    if is_refused {
        assert_eq!(response.body["code"], "INVALID_TOKEN");
        let detail = "The access token is not valid; log in again.";
        assert_eq!(response.body["detail"], detail);
    }
    is_refused
}

async fn refused_soon(stack: &Stack, path: &str, user: &User) {
    let what = format!("{path} refuses the token");
    eventually(SOON, &what, async || is_refused(stack, path, user).await).await;
}

/// Publishes the event as auth-service does.
async fn publish(stack: &Stack, user: &User, session_id: Option<Uuid>) {
    let event = json!({
        "payload": {"user_id": user.user_id, "session_id": session_id},
        "_meta": {"event_id": EventId::new(), "timestamp": Utc::now(), "aggregate_id": user.user_id,
                  "aggregate_version": 1},
    });
    let key = "auth.session.revoked";
    stack.vhost.publish(key, event.to_string()).await;
}

/// Writes the row that auth-service writes in the transaction that revokes, as another process of it does.
async fn revoke_at_auth(stack: &Stack, user: &User, session_id: Option<Uuid>) {
    let session_id = session_id.map_or("null".to_owned(), |id| format!("'{id}'"));
    let row = format!(
        "insert into revoked (user_id, session_id, revoked_at) values ('{}', {session_id}, now())",
        user.user_id
    );
    stack.auth.run(&row).await;
}

#[tokio::test]
async fn a_revoked_session_is_refused_everywhere_and_another_one_of_the_user_goes_on() {
    let _turn = crate::alone().await;
    let stack = Stack::start().await;
    let first = stack.client.register(Role::Student).await;
    let second = log_in(&stack, &first).await;
    let session_id = Some(tokens::session_of(&first));
    publish(&stack, &first, session_id).await;
    for path in READERS {
        refused_soon(&stack, path, &first).await;
    }
    assert!(!is_refused(&stack, AUTH, &first).await, "it was not asked");
    revoke_at_auth(&stack, &first, session_id).await;
    refused_soon(&stack, AUTH, &first).await;
    for path in READERS.into_iter().chain([AUTH]) {
        assert!(!is_refused(&stack, path, &second).await, "{path}");
    }
}

#[tokio::test]
async fn all_sessions_of_before_are_refused_and_a_sign_in_of_the_same_second_is_accepted() {
    let _turn = crate::alone().await;
    let stack = Stack::start().await;
    let user = stack.client.register(Role::Encadrant).await;
    let before = log_in(&stack, &user).await;
    let other = stack.client.register(Role::Student).await;
    publish(&stack, &user, None).await;
    revoke_at_auth(&stack, &user, None).await;
    // The tokens of both have the same `iat`: only the times inside the ids of their sessions differ.
    let signer = Signer::of(&stack.auth).await;
    let after = log_in(&stack, &user).await;
    let issued_at = tokens::claims(&before.token)["iat"].clone();
    let after = User {
        token: signer.with(&after.token, "iat", issued_at),
        ..after
    };
    for path in READERS.into_iter().chain([AUTH]) {
        for old in [&user, &before] {
            refused_soon(&stack, path, old).await;
        }
        assert!(!is_refused(&stack, path, &after).await, "{path}");
        assert!(!is_refused(&stack, path, &other).await, "{path}");
    }
}

#[tokio::test]
async fn a_deleted_user_is_refused_by_auth_service_at_once_and_soon_everywhere() {
    let _turn = crate::alone().await;
    let stack = Stack::start().await;
    let user = stack.client.register(Role::Student).await;
    let second = log_in(&stack, &user).await;
    let password = json!({"current_password": PASSWORD});
    let deleted = stack
        .client
        .ask(Method::DELETE, AUTH, Some(&user.token), Some(&password))
        .await
        .expect("auth-service answers");
    assert_eq!(deleted.status, 204);
    for session in [&user, &second] {
        assert!(is_refused(&stack, AUTH, session).await, "at once");
        for path in READERS {
            refused_soon(&stack, path, session).await;
        }
    }
}

#[tokio::test]
async fn a_restart_keeps_what_was_revoked_and_a_process_is_not_ready_before_it_has_read_it() {
    let _turn = crate::alone().await;
    let mut stack = Stack::start().await;
    let user = stack.client.register(Role::Student).await;
    publish(&stack, &user, Some(tokens::session_of(&user))).await;
    revoke_at_auth(&stack, &user, Some(tokens::session_of(&user))).await;
    for path in READERS.into_iter().chain([AUTH]) {
        refused_soon(&stack, path, &user).await;
    }
    let apis = [Unit::Auth, Unit::Profile, Unit::Comm];
    for unit in apis {
        stack.kill(unit).await;
    }
    stack.start_units(&apis).await;
    for path in READERS.into_iter().chain([AUTH]) {
        assert!(is_refused(&stack, path, &user).await, "{path}");
    }
}

#[tokio::test]
async fn while_its_database_is_away_an_api_keeps_what_it_knows() {
    let _turn = crate::alone().await;
    let mut stack = Stack::prepare(Links::Proxied).await;
    stack.start_units(&Unit::ALL).await;
    let (revoked, other) = (
        stack.client.register(Role::Student).await,
        stack.client.register(Role::Student).await,
    );
    publish(&stack, &revoked, None).await;
    refused_soon(&stack, READERS[1], &revoked).await;
    stack.database_link(Unit::Comm).set(Mode::Refuse);
    let began = Instant::now();
    eventually(SOON * 5, "the database is away", async || {
        stack.client.get(READERS[1], &other).await.status == 503
    })
    .await;
    stack
        .process(Unit::Comm)
        .line("What was revoked cannot be read")
        .await;
    assert!(is_refused(&stack, READERS[1], &revoked).await);
    stack.database_link(Unit::Comm).set(Mode::Pass);
    publish(&stack, &other, None).await;
    eventually(SOON * 5, "it reads again", async || {
        is_refused(&stack, READERS[1], &other).await
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// Where no event arrives, a token still ends: nothing that a service issues or accepts lives longer.
#[tokio::test]
async fn revoked_everywhere_within_15_min() {
    const ACCESS_TOKEN_TTL: i64 = 15 * 60;

    let _turn = crate::alone().await;
    let mut stack = Stack::prepare(Links::Direct).await;
    let apis = [Unit::Auth, Unit::Profile, Unit::Comm];
    stack.start_units(&apis).await;
    let user = stack.client.register(Role::Student).await;
    revoke_at_auth(&stack, &user, Some(tokens::session_of(&user))).await;
    publish(&stack, &user, Some(tokens::session_of(&user))).await;
    refused_soon(&stack, AUTH, &user).await;
    for path in READERS {
        assert!(!is_refused(&stack, path, &user).await, "no consumer runs");
    }
    let claims = tokens::claims(&user.token);
    let time = |name: &str| claims[name].as_i64().expect("a time");
    assert_eq!(time("exp") - time("iat"), ACCESS_TOKEN_TTL);
    assert!((Utc::now().timestamp() - time("iat")).abs() < 60);

    // The same token after that time.
    let earlier = TimeDelta::seconds(ACCESS_TOKEN_TTL + 10).num_seconds();
    let mut aged = claims.clone();
    for name in ["iat", "nbf", "exp"] {
        aged[name] = Value::from(time(name) - earlier);
    }
    let signer = Signer::of(&stack.auth).await;
    let aged = User {
        token: signer.sign(&aged),
        ..user.clone()
    };
    for path in READERS {
        let response = stack.client.get(path, &aged).await;
        let expected = (401, &json!("TOKEN_EXPIRED"));
        assert_eq!((response.status, &response.body["code"]), expected);
    }
    stack.start_units(&Unit::CONSUMERS).await;
    for path in READERS {
        refused_soon(&stack, path, &user).await;
    }
}
