//! What an address may do, and which address it is.

use crate::{Try, auth};
use events::Role;
use futures_util::future::join_all;
use reqwest::Response;
use test_support::{
    Stack,
    client::{PASSWORD, REGISTER, newcomer},
};

const WRONG: &str = "a wrong password";

async fn log_in(stack: &Stack, email: &str, password: &str, address: &str) -> Response {
    let log_in = Try {
        address: Some(address),
        ..Try::new(email, password)
    };
    log_in.send(stack).await
}

async fn register(stack: &Stack, address: &str) -> Response {
    let request = reqwest::Client::new()
        .post(stack.client.url(REGISTER))
        .header("x-forwarded-for", address)
        .json(&newcomer(Role::Student));
    request.send().await.expect("auth-service answers")
}

fn wait(refused: &Response) -> u64 {
    let seconds = refused.headers()["retry-after"].to_str();
    seconds.expect("ASCII").parse().expect("seconds")
}

#[tokio::test]
async fn from_one_address_three_hundred_log_ins_may_fail_in_a_minute() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let failed = log_in(&stack, "first@example.com", WRONG, "2001:db8::1").await;
    assert_eq!(failed.status(), 401);
    let left = "select remaining from users_budget where purpose = 'failures'";
    assert_eq!(stack.auth.value(left).await, "299");
    stack
        .auth
        .run("update users_budget set remaining = 1 where purpose = 'failures'")
        .await;
    let failed = log_in(&stack, "other@example.com", WRONG, "2001:db8::2").await;
    assert_eq!(failed.status(), 401, "the last one");
    let locked = log_in(&stack, &user.email, PASSWORD, "2001:db8::3").await;
    assert_eq!(locked.status(), 429);
    assert!((1..=60).contains(&wait(&locked)), "{}", wait(&locked));
    for elsewhere in ["2001:db8:0:1::1", "192.0.2.1", "no address"] {
        let response = log_in(&stack, &user.email, PASSWORD, elsewhere).await;
        assert_eq!(response.status(), 200, "{elsewhere}");
    }
    let known = Try {
        device: user.body["device"].as_str(),
        address: Some("2001:db8::1"),
        ..Try::new(&user.email, PASSWORD)
    };
    assert_eq!(known.status(&stack).await, 200, "a device of the user");
    stack
        .auth
        .run("update users_budget set ends_at = now()")
        .await;
    let response = log_in(&stack, &user.email, PASSWORD, "2001:db8::1").await;
    assert_eq!(response.status(), 200, "the minute is over");
    let full = "users_budget where purpose = 'failures' and remaining = 300";
    assert_eq!(
        stack.auth.count(full).await,
        4,
        "a log-in that works uses up nothing"
    );
}

#[tokio::test]
async fn from_one_address_twenty_may_register_in_a_minute() {
    let stack = auth().await;
    let answers = join_all((0..24).map(|_| register(&stack, "192.0.2.1"))).await;
    let count = |status: u16| answers.iter().filter(|a| a.status() == status).count();
    // A slow machine has no time for some.
    let accepted = count(201);
    assert_eq!((accepted + count(503), count(429)), (20, 4), "{answers:?}");
    for refused in answers.into_iter().filter(|a| a.status() == 429) {
        assert!((1..=60).contains(&wait(&refused)), "{}", wait(&refused));
        let body: serde_json::Value = refused.json().await.expect("a problem");
        assert_eq!(body["code"], "TOO_MANY_REQUESTS");
    }
    let users = i64::try_from(accepted).expect("it is small");
    assert_eq!(stack.auth.count("users_user").await, users);
    assert_eq!(register(&stack, "192.0.2.2").await.status(), 201);
    stack
        .auth
        .run("update users_budget set ends_at = now()")
        .await;
    assert_eq!(
        register(&stack, "192.0.2.1").await.status(),
        201,
        "the minute is over"
    );
}

/// What comes before the gateway's own word is the client's, and may be anything.
#[tokio::test]
async fn xff_cannot_mint_buckets() {
    let stack = auth().await;
    let claims = |i: u32| {
        [
            format!("203.0.113.{i}, 192.0.2.1"),
            format!("2001:db8:{i}::1,\t192.0.2.1"),
            format!("for=203.0.113.{i}, 203.0.113.{i}, ::ffff:192.0.2.1"),
            "192.0.2.1".to_owned(),
        ]
    };
    for claim in (0..3).flat_map(claims) {
        log_in(&stack, "nobody@example.com", WRONG, &claim).await;
        register(&stack, &claim).await;
    }
    let rows =
        "select string_agg(purpose || ' ' || remaining, ', ' order by purpose) from users_budget
                where purpose in ('failures', 'registrations', 'strangers')";
    let rows = stack.auth.value(rows).await;
    assert_eq!(rows, "failures 295, registrations 8, strangers 25");
    assert_eq!(stack.auth.count("users_login_client").await, 1);

    // The gateway's word is the last header, when there are several.
    let request = reqwest::Client::new()
        .post(stack.client.url(REGISTER))
        .header("x-forwarded-for", "203.0.113.99")
        .header("x-forwarded-for", "192.0.2.1")
        .json(&newcomer(Role::Student));
    let registered = request.send().await.expect("auth-service answers");
    assert_eq!(registered.status(), 201);
    let seven = "users_budget where purpose = 'registrations' and remaining = 7";
    assert_eq!(stack.auth.count(seven).await, 1);
}
