//! How tries to log in are counted for an account, and how long what is counted is kept.

use crate::{LOGIN, Try, auth};
use events::Role;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use test_support::{
    Process, Stack, Unit,
    client::{PASSWORD, anybody},
    eventually, port,
    stack::Links,
};

const SOON: Duration = Duration::from_secs(15);
const WRONG: &str = "a wrong password";
/// What guesses are answered with; a slow machine has no time for some of many, which are then not counted.
const LIMITED: [u16; 3] = [401, 429, 503];

/// The status of a try to log in.
async fn log_in(stack: &Stack, email: &str, password: &str) -> u16 {
    let body = json!({"email": email, "password": password});
    stack.client.post(LOGIN, &body).await.status
}

/// Another process of the API, and where it listens.
async fn another_process(stack: &Stack) -> (Process, SocketAddr) {
    let (api, internal) = (port::free(), port::free());
    let environment = [
        ("DATABASE_URL", stack.auth.url.clone()),
        ("AMQP_URL", stack.vhost.amqp_url.clone()),
        ("HTTP_ADDR", api.to_string()),
        ("INTERNAL_ADDR", internal.to_string()),
    ];
    let mut process = Process::start("auth-service", &["serve"], &environment);
    process.ready(internal).await;
    (process, api)
}

/// Two processes count together.
#[tokio::test]
async fn a_burst_of_guesses_passes_no_more_than_five() {
    let stack = auth().await;
    let (_process, second) = another_process(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let device = user.body["device"].as_str().expect("a device");
    for device in [None, Some(device)] {
        let guess = |api| Try {
            device,
            api,
            ..Try::new(&user.email, WRONG)
        };
        let began = Instant::now();
        let guesses = (0..20).map(|i| guess((i % 2 == 0).then_some(second)));
        let answers = join_all(guesses.map(async |guess| guess.status(&stack).await)).await;
        let checked = answers.iter().filter(|status| **status == 401).count();
        // On a slow machine one more guess comes after the lock of the fifth, of 1 s, and one more after each next lock,
        // which is twice as long.
        let allowed = 5 + (began.elapsed().as_secs() + 1).ilog2() as usize;
        assert!((1..=allowed).contains(&checked), "{answers:?}");
        assert!(answers.iter().all(|status| LIMITED.contains(status)));
    }
}

#[tokio::test]
async fn wrong_passwords_are_limited_and_audited_wherever_a_password_is_asked_for() {
    let stack = auth().await;
    let me = "/auth/api/v1/users/me";
    let new = "eleven purple camels";
    for (method, path, field, body) in [
        (
            Method::POST,
            "/auth/api/v1/sessions/current/confirm",
            "current_password",
            json!({}),
        ),
        (
            Method::POST,
            &format!("{me}/change-password"),
            "current_password",
            json!({"new_password": new}),
        ),
        (
            Method::PATCH,
            &format!("{me}/password"),
            "old_password",
            json!({"new_password": new}),
        ),
        (
            Method::POST,
            &format!("{me}/email"),
            "current_password",
            json!({"email": "new@example.com"}),
        ),
        (Method::DELETE, me, "current_password", json!({})),
    ] {
        let user = stack.client.register(Role::Student).await;
        let ask = async |password: &str| {
            let mut body = body.clone();
            body[field] = password.into();
            let token = Some(user.token.as_str());
            let answer = stack.client.ask(method.clone(), path, token, Some(&body));
            answer.await.expect("auth-service answers")
        };
        let wrong = ask(WRONG).await;
        assert_eq!(wrong.status, 400, "{path}: {}", wrong.body);
        assert!(wrong.body["errors"][field].is_array(), "{path}");
        stack
            .auth
            .run("update users_login_client set failures = 20")
            .await;
        assert_eq!(ask(WRONG).await.status, 400, "{path}");
        for password in [WRONG, PASSWORD] {
            let locked = ask(password).await;
            let kind = (locked.status, &locked.body["code"]);
            assert_eq!(kind, (429, &json!("TOO_MANY_ATTEMPTS")), "{path}");
        }
        let rows = format!(
            "users_audit join users_audit_detail on audit_id = id
             where subject = '{}' and action = 'login' and outcome = 'failed' and address is not null",
            user.user_id
        );
        assert_eq!(stack.auth.count(&rows).await, 2, "{path}");
        let right = Try::new(&user.email, PASSWORD);
        assert_eq!(
            right.status(&stack).await,
            200,
            "the lock is of the session"
        );
    }
}

#[tokio::test]
async fn a_burst_from_many_addresses_passes_no_more_than_thirty() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let answers = join_all((0..48).map(async |_| {
        let address = anybody();
        let guess = Try {
            address: Some(&address),
            ..Try::new(&user.email, WRONG)
        };
        guess.status(&stack).await
    }))
    .await;
    let checked = answers.iter().filter(|status| **status == 401).count();
    assert!((1..=30).contains(&checked), "{answers:?}");
    let counted = answers.iter().filter(|status| **status != 429).count();
    assert!(counted >= 30, "{answers:?}");
    assert!(answers.iter().all(|status| LIMITED.contains(status)));
}

/// Strangers use up their tries hour after hour, also from the address of the user.
#[tokio::test]
async fn lockout_cannot_be_forced_on_victim_for_ever() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let mut device = user.body["device"].as_str().expect("a device").to_owned();
    for _ in 0..3 {
        let addresses: Vec<String> = (0..40).map(|_| anybody()).collect();
        for address in &addresses {
            let guess = Try {
                address: Some(address),
                ..Try::new(&user.email, WRONG)
            };
            guess.status(&stack).await;
        }
        let strange = Try {
            address: Some("2001:db8::1"),
            ..Try::new(&user.email, PASSWORD)
        };
        let refused = strange.send(&stack).await;
        assert_eq!(refused.status(), 429, "a stranger with the right password");
        let wait = refused.headers()["retry-after"].to_str().unwrap().parse();
        assert!(wait.is_ok_and(|wait: u64| (1..=3600).contains(&wait)));
        for address in [&addresses[0], "2001:db8::1"] {
            let own = Try {
                device: Some(&device),
                address: Some(address),
                ..Try::new(&user.email, PASSWORD)
            };
            let response = own.send(&stack).await;
            assert_eq!(response.status(), 200, "the device of the user");
            let body: serde_json::Value = response.json().await.expect("a JSON answer");
            assert_eq!(body["device"], device, "one token of one device");
            device = body["device"].as_str().expect("a device").to_owned();
        }
        stack
            .auth
            .run("update users_budget set ends_at = now()")
            .await;
    }
    // A user who is logged in is not disturbed either.
    let guess = Try::new(&user.email, WRONG);
    while guess.status(&stack).await != 429 {}
    let change = json!({"email": "new@example.com", "current_password": PASSWORD});
    let path = "/auth/api/v1/users/me/email";
    let changed = stack
        .client
        .ask(Method::POST, path, Some(&user.token), Some(&change))
        .await;
    assert_eq!(changed.expect("auth-service answers").status, 200);
}

#[tokio::test]
async fn a_device_is_recognised_by_the_accounts_it_logged_in_to_only() {
    let stack = auth().await;
    let (first, second) = (
        stack.client.register(Role::Student).await,
        stack.client.register(Role::Student).await,
    );
    let device = first.body["device"].as_str().expect("a device");
    let guess = Try {
        device: Some(device),
        ..Try::new(&second.email, WRONG)
    };
    while guess.status(&stack).await != 429 {}
    let strange = Try::new(&second.email, PASSWORD);
    assert_eq!(strange.status(&stack).await, 429, "both were one stranger");
    eventually(SOON, "the lock ends", async || {
        let log_in = Try {
            password: PASSWORD,
            ..guess
        };
        log_in.status(&stack).await == 200
    })
    .await;
}

/// A stranger who guesses once after each lock must not lock an address again for 15 minutes each time.
#[tokio::test]
async fn failures_halve_every_fifteen_minutes() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    assert_eq!(log_in(&stack, &user.email, WRONG).await, 401);
    stack
        .auth
        .run("update users_login_client set failures = 20")
        .await;
    let mut locks = Vec::new();
    for _ in 0..4 {
        stack
            .auth
            .run("update users_login_client set last_at = now() - interval '15 minutes', locked_until = null")
            .await;
        assert_eq!(log_in(&stack, &user.email, WRONG).await, 401);
        let seconds = "select coalesce(round(extract(epoch from locked_until - last_at)), 0) from users_login_client";
        locks.push(stack.auth.value(seconds).await);
    }
    assert_eq!(locks, ["64", "2", "0", "0"]);
    assert_eq!(log_in(&stack, &user.email, PASSWORD).await, 200);
    assert_eq!(stack.auth.count("users_login_client").await, 0);
}

#[tokio::test]
async fn counted_failures_name_no_user_and_are_deleted_with_the_user() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    assert_eq!(log_in(&stack, &user.email, WRONG).await, 401);
    let plain = format!(
        "users_login_client where account = encode(sha256('{}'), 'hex')",
        user.email
    );
    assert_eq!(stack.auth.count(&plain).await, 0, "a digest with a key");
    assert_eq!(stack.auth.count("users_login_client").await, 1);
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
    assert_eq!(stack.auth.count("users_login_client").await, 0);
    let of_the_user = "users_budget where purpose = 'strangers'";
    assert_eq!(stack.auth.count(of_the_user).await, 0);
}

#[tokio::test]
async fn what_has_ended_is_deleted_and_a_row_in_use_is_passed_over() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    let user = stack.client.register(Role::Student).await;
    stack.stop(Unit::Auth, SOON).await;
    let session = format!(
        "insert into users_session (id, user_id, refresh_token_hash, issued_at, expires_at)
         select overlay(gen_random_uuid()::text placing '01890000-0000' from 1 for 13)::uuid, '{}', n::text,
                now() - interval '31 days', now() - interval '1 day'",
        user.user_id
    );
    for insert in [
        &session,
        "insert into users_login_client (account, client, failures, last_at)
         select n::text, '', 1, now() - interval '4 hours'",
        "insert into users_login_failure (email_hash, failures, last_at)
         select n::text, 1, now() - interval '25 hours'",
        "insert into users_login_address (address_hash, failures, since)
         select n::text, 1, now() - interval '25 hours'",
        "insert into users_budget (subject, purpose, remaining, ends_at)
         select n::text, 'failures', 1, now() - interval '1 minute'",
    ] {
        let rows = format!("{insert} from generate_series(1, 1200) as n");
        stack.auth.run(&rows).await;
    }
    let mut holder = stack.auth.pool.begin().await.expect("a session is free");
    sqlx::raw_sql("select from users_login_client where account = '7' for update")
        .execute(&mut *holder)
        .await
        .expect("no other session holds it");
    stack.start_units(&[Unit::Auth]).await;
    eventually(SOON, "all but the row in use are gone", async || {
        stack.auth.count("users_login_client").await == 1
            && stack.auth.count("users_login_failure").await == 0
            && stack.auth.count("users_login_address").await == 0
            && stack
                .auth
                .count("users_budget where purpose = 'failures'")
                .await
                == 0
            && stack.auth.count("users_session").await == 1
    })
    .await;
    holder.rollback().await.expect("the lock ends");
    eventually(SOON, "the last row goes", async || {
        stack.auth.count("users_login_client").await == 0
    })
    .await;
    assert_eq!(log_in(&stack, &user.email, PASSWORD).await, 200);
}
