//! How tries to log in are counted, and how long what is counted is kept.

use crate::{LOGIN, auth};
use events::Role;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use test_support::{Stack, Unit, client::PASSWORD, eventually, stack::Links};

const SOON: Duration = Duration::from_secs(15);

/// The status of a try to log in.
async fn log_in(stack: &Stack, email: &str, password: &str) -> u16 {
    let body = json!({"email": email, "password": password});
    stack.client.post(LOGIN, &body).await.status
}

#[tokio::test]
async fn a_burst_of_guesses_passes_no_more_than_five() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let guesses = (0..24).map(|_| log_in(&stack, &user.email, "a wrong password"));
    let answers = join_all(guesses).await;
    let checked = answers.iter().filter(|status| **status == 401).count();
    // The lock of the fifth lasts a second; on a slow machine one more guess comes after it.
    assert!((5..=7).contains(&checked), "{answers:?}");
    assert!(answers.iter().all(|status| [401, 429].contains(status)));
}

/// A stranger who guesses once after each lock must not lock the user again for 15 minutes each time.
#[tokio::test]
async fn failures_halve_every_fifteen_minutes_so_that_a_stranger_does_not_keep_a_user_locked() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    assert_eq!(log_in(&stack, &user.email, "a wrong password").await, 401);
    stack
        .auth
        .run("update users_login_failure set failures = 20")
        .await;
    let mut locks = Vec::new();
    for _ in 0..4 {
        stack
            .auth
            .run("update users_login_failure set last_at = now() - interval '15 minutes', locked_until = null")
            .await;
        assert_eq!(log_in(&stack, &user.email, "a wrong password").await, 401);
        let seconds = "select coalesce(round(extract(epoch from locked_until - last_at)), 0) from users_login_failure";
        locks.push(stack.auth.value(seconds).await);
    }
    assert_eq!(locks, ["64", "2", "0", "0"]);
    assert_eq!(log_in(&stack, &user.email, PASSWORD).await, 200);
    assert_eq!(stack.auth.count("users_login_failure").await, 0);
}

#[tokio::test]
async fn counted_failures_name_no_user_and_are_deleted_with_the_user() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    assert_eq!(log_in(&stack, &user.email, "a wrong password").await, 401);
    let plain = format!(
        "users_login_failure where email_hash = encode(sha256('{}'), 'hex')",
        user.email
    );
    assert_eq!(stack.auth.count(&plain).await, 0, "a digest with a key");
    let erased = stack
        .client
        .ask(
            Method::DELETE,
            "/auth/api/v1/users/me",
            Some(&user.token),
            Some(&json!({"current_password": PASSWORD})),
        )
        .await;
    assert_eq!(erased.expect("auth-service answers").status, 204);
    assert_eq!(stack.auth.count("users_login_failure").await, 0);
    let address = "users_login_address where failures > 1";
    assert_eq!(
        stack.auth.count(address).await,
        0,
        "a good password is no failure"
    );
}

#[tokio::test]
async fn what_has_ended_is_deleted_and_a_row_in_use_is_passed_over() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    let user = stack.client.register(Role::Student).await;
    stack.stop(Unit::Auth, SOON).await;
    stack
        .auth
        .run(&format!(
            "insert into users_session (id, user_id, refresh_token_hash, issued_at, expires_at)
             select overlay(gen_random_uuid()::text placing '01890000-0000' from 1 for 13)::uuid, '{}', n::text,
                    now() - interval '31 days', now() - interval '1 day'
             from generate_series(1, 1200) as n",
            user.user_id
        ))
        .await;
    for (table, column, time) in [
        ("users_login_failure", "email_hash", "last_at"),
        ("users_login_address", "address_hash", "since"),
    ] {
        stack
            .auth
            .run(&format!(
                "insert into {table} ({column}, failures, {time})
                 select n::text, 1, now() - interval '25 hours' from generate_series(1, 1200) as n"
            ))
            .await;
    }
    let mut holder = stack.auth.pool.begin().await.expect("a session is free");
    sqlx::raw_sql("select from users_login_failure where email_hash = '7' for update")
        .execute(&mut *holder)
        .await
        .expect("no other session holds it");
    stack.start_units(&[Unit::Auth]).await;
    eventually(SOON, "all but the row in use are gone", async || {
        stack.auth.count("users_login_failure").await == 1
            && stack.auth.count("users_login_address").await == 0
            && stack.auth.count("users_session").await == 1
    })
    .await;
    holder.rollback().await.expect("the lock ends");
    eventually(SOON, "the last row goes", async || {
        stack.auth.count("users_login_failure").await == 0
    })
    .await;
    assert_eq!(log_in(&stack, &user.email, PASSWORD).await, 200);
}
