//! Refresh tokens, and the sessions that they belong to.

use crate::{LOGIN, auth};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;
use test_support::{Stack, User, client::PASSWORD};

const REFRESH: &str = "/auth/api/v1/refresh";
const LOGOUT: &str = "/auth/api/v1/logout";
const SESSIONS: &str = "/auth/api/v1/sessions";
const CONFIRM: &str = "/auth/api/v1/sessions/current/confirm";

fn token(body: &Value) -> String {
    let token = body["refresh_token"].as_str();
    token.expect("a refresh token").to_owned()
}

async fn refresh(stack: &Stack, token: &str) -> (u16, Value) {
    let response = stack
        .client
        .post(REFRESH, &json!({"refresh_token": token}))
        .await;
    (response.status, response.body)
}

async fn send(stack: &Stack, method: Method, path: &str, user: &User) -> (u16, Value) {
    let response = stack
        .client
        .ask(method, path, Some(&user.token), None)
        .await
        .expect("a response");
    (response.status, response.body)
}

async fn login(stack: &Stack, user: &User) -> User {
    let body = json!({"email": user.email, "password": PASSWORD});
    test_support::client::user(stack.client.post(LOGIN, &body).await.body)
}

/// Moves the first use of all used tokens into the past.
async fn used_ago(stack: &Stack, seconds: u32) {
    stack
        .auth
        .run(&format!(
            "update users_used_refresh_token set used_at = now() - interval '{seconds} seconds'"
        ))
        .await;
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("a JWT");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64");
    serde_json::from_slice(&bytes).expect("claims")
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_of_the_same_session() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let (status, body) = refresh(&stack, &token(&user.body)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["user"], user.body["user"]);
    assert_ne!(token(&body), token(&user.body));
    let (before, after) = (
        claims(&user.token),
        claims(body["access_token"].as_str().unwrap()),
    );
    for kept in ["sid", "sub", "auth_time"] {
        assert_eq!(before[kept], after[kept], "{kept}");
    }
    assert_ne!(before["jti"], after["jti"]);
    let (status, _) = refresh(&stack, &token(&body)).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn refresh_race_keeps_one_family() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let first = token(&user.body);
    let answers = futures_util::future::join_all((0..50).map(|_| refresh(&stack, &first))).await;
    let successors: HashSet<String> = answers
        .iter()
        .map(|(status, body)| {
            assert_eq!(*status, 200, "{body}");
            token(body)
        })
        .collect();
    assert_eq!(successors.len(), 1);
    let successor = successors.into_iter().next().unwrap();
    assert_eq!(refresh(&stack, &successor).await.0, 200);
    assert_eq!(stack.auth.count("users_session where not revoked").await, 1);
}

#[tokio::test]
async fn refresh_lost_answer_grace() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let first = token(&user.body);
    let second = token(&refresh(&stack, &first).await.1);
    let third = token(&refresh(&stack, &second).await.1);
    used_ago(&stack, 20).await;
    let (status, again) = refresh(&stack, &first).await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(
        token(&again),
        second,
        "the same token, though it was used meanwhile"
    );
    assert_eq!(
        refresh(&stack, &third).await.0,
        200,
        "a late request ends no session"
    );
}

#[tokio::test]
async fn refresh_reuse_kills_family() {
    let stack = auth().await;
    let tap = stack.vhost.tap("auth.session.revoked").await;
    let user = stack.client.register(Role::Student).await;
    let other = login(&stack, &user).await;
    let first = token(&user.body);
    let second = token(&refresh(&stack, &first).await.1);
    used_ago(&stack, 31).await;
    for used in [&first, &second] {
        let (status, body) = refresh(&stack, used).await;
        assert_eq!(
            (status, &body["code"]),
            (401, &json!("INVALID_REFRESH_TOKEN"))
        );
    }
    let event = tap.hear(|event| event.json()["payload"]["user_id"] == user.body["user"]["id"]);
    let session = event.await.json()["payload"]["session_id"].clone();
    assert_eq!(session, claims(&user.token)["sid"]);
    assert_eq!(
        refresh(&stack, &token(&other.body)).await.0,
        200,
        "another session goes on"
    );
}

#[tokio::test]
async fn a_token_that_is_used_again_a_hundred_times_ends_its_session() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let first = token(&user.body);
    let second = token(&refresh(&stack, &first).await.1);
    stack
        .auth
        .run("update users_used_refresh_token set repeats = 99")
        .await;
    assert_eq!(refresh(&stack, &first).await.0, 200);
    assert_eq!(refresh(&stack, &first).await.0, 401);
    assert_eq!(refresh(&stack, &second).await.0, 401);
}

#[tokio::test]
async fn what_is_no_present_token_of_a_living_session_is_refused() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let first = token(&user.body);
    for bad in ["", "x", &first[1..], &user.token, &"A".repeat(64)] {
        let (status, body) = refresh(&stack, bad).await;
        assert_eq!(
            (status, &body["code"]),
            (401, &json!("INVALID_REFRESH_TOKEN")),
            "{bad}"
        );
    }
    stack
        .auth
        .run("update users_user set is_active = false")
        .await;
    assert_eq!(refresh(&stack, &first).await.0, 401, "a disabled user");
    stack
        .auth
        .run("update users_user set is_active = true")
        .await;
    let later = login(&stack, &user).await;
    stack
        .auth
        .run("update users_session set expires_at = now()")
        .await;
    assert_eq!(
        refresh(&stack, &token(&later.body)).await.0,
        401,
        "after 30 days"
    );
}

#[tokio::test]
async fn nothing_that_is_stored_is_a_refresh_token() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let second = token(&refresh(&stack, &token(&user.body)).await.1);
    for token in [token(&user.body), second] {
        let stored = format!(
            "users_session s left join users_used_refresh_token u on true
             where row(s, u)::text like '%' || '{token}' || '%'"
        );
        assert_eq!(stack.auth.count(&stored).await, 0);
    }
}

#[tokio::test]
async fn a_log_out_ends_the_session_of_the_token_and_no_other() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let other = login(&stack, &user).await;
    assert_eq!(send(&stack, Method::POST, LOGOUT, &user).await.0, 204);
    let me = "/auth/api/v1/users/me";
    let refused = send(&stack, Method::GET, me, &user).await;
    assert_eq!(
        (refused.0, &refused.1["code"]),
        (401, &json!("INVALID_TOKEN"))
    );
    assert_eq!(send(&stack, Method::GET, me, &other).await.0, 200);
    assert_eq!(refresh(&stack, &token(&user.body)).await.0, 401);
    assert_eq!(refresh(&stack, &token(&other.body)).await.0, 200);
}

#[tokio::test]
async fn a_user_lists_and_ends_the_own_sessions_only() {
    let stack = auth().await;
    let alice = stack.client.register(Role::Student).await;
    let second = login(&stack, &alice).await;
    let bob = stack.client.register(Role::Student).await;
    let (status, sessions) = send(&stack, Method::GET, SESSIONS, &second).await;
    assert_eq!(status, 200);
    let sessions = sessions.as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let current: Vec<&Value> = sessions
        .iter()
        .filter(|session| session["current"] == true)
        .collect();
    assert_eq!(current[0]["id"], claims(&second.token)["sid"]);
    for field in ["issued_at", "last_used_at", "expires_at", "user_id"] {
        assert!(current[0][field].is_string(), "{field}");
    }
    assert_eq!(current[0]["client_info"]["ip"], "127.0.0.1");

    let first = format!(
        "{SESSIONS}/{}",
        claims(&alice.token)["sid"].as_str().unwrap()
    );
    for (path, user) in [
        (first.as_str(), &bob),
        ("/auth/api/v1/sessions/none", &alice),
    ] {
        assert_eq!(
            send(&stack, Method::DELETE, path, user).await.0,
            404,
            "{path}"
        );
    }
    assert_eq!(send(&stack, Method::DELETE, &first, &second).await.0, 204);
    assert_eq!(send(&stack, Method::DELETE, &first, &second).await.0, 404);
    assert_eq!(refresh(&stack, &token(&alice.body)).await.0, 401);

    assert_eq!(send(&stack, Method::DELETE, SESSIONS, &second).await.0, 204);
    assert_eq!(refresh(&stack, &token(&second.body)).await.0, 401);
    assert_eq!(refresh(&stack, &token(&bob.body)).await.0, 200);
}

#[tokio::test]
async fn the_password_confirms_a_session() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    stack
        .auth
        .run("update users_session set authenticated_at = now() - interval '1 hour'")
        .await;
    let old = claims(
        refresh(&stack, &token(&user.body)).await.1["access_token"]
            .as_str()
            .unwrap(),
    );
    let confirm = async |password: &str| {
        let body = json!({"current_password": password});
        let response = stack
            .client
            .ask(Method::POST, CONFIRM, Some(&user.token), Some(&body))
            .await;
        response.unwrap()
    };
    assert_eq!(confirm("a wrong password").await.status, 400);
    let confirmed = confirm(PASSWORD).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    let new = claims(confirmed.body["access_token"].as_str().unwrap());
    let seconds = new["auth_time"].as_i64().unwrap() - old["auth_time"].as_i64().unwrap();
    assert!((3590..3700).contains(&seconds), "{seconds}");
    assert_eq!(new["sid"], old["sid"]);
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_and_opens_one() {
    let stack = auth().await;
    let tap = stack.vhost.tap("auth.session.revoked").await;
    let user = stack.client.register(Role::Student).await;
    let other = login(&stack, &user).await;
    let change = async |method: Method, path: &str, body: Value| {
        let response = stack
            .client
            .ask(method, path, Some(&user.token), Some(&body))
            .await;
        response.unwrap()
    };
    let path = "/auth/api/v1/users/me/change-password";
    let new = "eleven purple camels";
    for (current, proposed, field) in [
        ("a wrong password", new, "current_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "passwordpassword", "new_password"),
    ] {
        let body = json!({"current_password": current, "new_password": proposed});
        let refused = change(Method::POST, path, body).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body["errors"][field].is_array(), "{}", refused.body);
    }
    let body = json!({"current_password": PASSWORD, "new_password": new});
    let changed = change(Method::POST, path, body).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    for ended in [&user, &other] {
        assert_eq!(refresh(&stack, &token(&ended.body)).await.0, 401);
    }
    let event = tap
        .hear(|event| event.json()["payload"]["session_id"].is_null())
        .await
        .json();
    let revoked_at: chrono::DateTime<chrono::Utc> = event["_meta"]["timestamp"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let sid: uuid::Uuid = claims(changed.body["access_token"].as_str().unwrap())["sid"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let (seconds, nanos) = sid.get_timestamp().unwrap().to_unix();
    let began = chrono::DateTime::from_timestamp(seconds.cast_signed(), nanos).unwrap();
    assert!(
        began > revoked_at,
        "the new session began after the others ended"
    );
    let changed = test_support::client::user(changed.body);
    assert_eq!(refresh(&stack, &token(&changed.body)).await.0, 200);

    let old = json!({"email": user.email, "password": PASSWORD});
    assert_eq!(stack.client.post(LOGIN, &old).await.status, 401);
    let body = json!({"old_password": new, "new_password": PASSWORD});
    let response = stack
        .client
        .ask(
            Method::PATCH,
            "/auth/api/v1/users/me/password",
            Some(&changed.token),
            Some(&body),
        )
        .await
        .unwrap();
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(stack.client.post(LOGIN, &old).await.status, 200);
}

#[tokio::test]
async fn a_new_e_mail_ends_the_other_sessions() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let other = login(&stack, &user).await;
    let body = json!({"email": "new.address@example.com", "current_password": PASSWORD});
    let path = "/auth/api/v1/users/me/email";
    let changed = stack
        .client
        .ask(Method::POST, path, Some(&user.token), Some(&body))
        .await
        .unwrap();
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(refresh(&stack, &token(&other.body)).await.0, 401);
    assert_eq!(refresh(&stack, &token(&user.body)).await.0, 200);
}
