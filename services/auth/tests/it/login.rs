//! Log-in, and the limits of failed log-ins.

use crate::{LOGIN, Try, auth};
use events::Role;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, Unit, client::PASSWORD, eventually};

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
        let response = Try::new(email, password).send(&stack).await;
        let (status, mut headers) = (response.status(), response.headers().clone());
        for of_the_request in ["date", "x-request-id"] {
            headers.remove(of_the_request);
        }
        let mut body: Value = response.json().await.expect("a problem");
        body["request_id"].take();
        answers.push((status, headers, body));
    }
    assert_eq!(answers[0].0, 401);
    assert_eq!(answers[0].2["code"], "INVALID_CREDENTIALS");
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

/// A password that is changed while it is checked opens no session: the change has ended all sessions already.
#[tokio::test]
async fn a_log_in_that_a_change_of_the_user_overtakes_opens_no_session() {
    let stack = auth().await;
    for change in [
        "update users_user set is_active = false",
        "update users_user set password_hash = '!'",
    ] {
        let user = stack.client.register(Role::Student).await;
        let sessions = format!("users_session where user_id = '{}'", user.user_id);
        assert_eq!(stack.auth.count(&sessions).await, 1);
        let mut holder = stack.auth.pool.begin().await.expect("a session is free");
        let changed = sqlx::raw_sql(change).execute(&mut *holder).await;
        changed.expect("no other session holds the user");
        let right = Try::new(&user.email, PASSWORD);
        let overtake = async {
            let waits =
                "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            eventually(Duration::from_secs(10), "the log-in waits", async || {
                stack.auth.count(waits).await == 1
            })
            .await;
            holder.commit().await.expect("the change is stored");
        };
        let (status, ()) = tokio::join!(right.status(&stack), overtake);
        assert_eq!(status, 401, "{change}");
        assert_eq!(stack.auth.count(&sessions).await, 1, "{change}");
    }
}

/// The hashes that auth-service has made.
async fn hashes(stack: &Stack) -> u64 {
    let address = stack.internal(Unit::Auth);
    let response = reqwest::get(format!("http://{address}/metrics")).await;
    let text = response.expect("it answers").text().await.expect("a text");
    let of_hashes = |line: &&str| line.starts_with("medtrack_password_hashes_total{");
    let counts = text.lines().filter(of_hashes);
    let number = |line: &str| {
        line.rsplit(' ')
            .next()
            .and_then(|number| number.parse::<u64>().ok())
    };
    counts.filter_map(number).sum()
}

/// Equal work: one hash with the same parameters, whether there is such a user, and whatever is stored.
#[tokio::test]
async fn login_timing_equal() {
    let stack = auth().await;
    let (existing, disabled, without) = (
        stack.client.register(Role::Student).await,
        stack.client.register(Role::Student).await,
        stack.client.register(Role::Student).await,
    );
    for (set, user) in [
        ("is_active = false", &disabled),
        ("password_hash = '!'", &without),
    ] {
        let change = format!("update users_user set {set} where id = '{}'", user.user_id);
        stack.auth.run(&change).await;
    }
    for (email, password) in [
        (existing.email.as_str(), "another password"),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        (disabled.email.as_str(), PASSWORD),
        (disabled.email.as_str(), "another password"),
        (without.email.as_str(), PASSWORD),
    ] {
        let before = hashes(&stack).await;
        assert_eq!(Try::new(email, password).status(&stack).await, 401);
        assert_eq!(hashes(&stack).await - before, 1, "{email} {password}");
    }
}

#[tokio::test]
async fn a_hash_of_django_or_of_other_parameters_is_replaced_by_the_next_log_in() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let hash = format!(
        "(select password_hash from users_user where id = '{}')",
        user.user_id
    );
    for imported in [
        "pbkdf2_sha256$1000$lG0V4mqkq3jDpVdFzNdBn1$blM9hcewocA2s1nL1u0UGM+HoBCCBjEsjkLsRz3aD4w=",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$bEcwVjRtcWtxM2pEcFZkRnpOZEJuMQ$uKxmzdJtipKJ2dckvgmU2Q",
        "$argon2id$v=19$m=19456,t=1,p=1$YSBzYWx0IG9mIDE2Ynl0ZQ$EoAJvv4f3vjtXosoyEbN0N0t1EnOvafphboTRF/1HqU",
        "$argon2id$v=19$m=9728,t=2,p=1$YSBzYWx0IG9mIDE2Ynl0ZQ$pX3Pj893vwyuquj+gwWwIhL28s2CZf4Tf6+yPP4ukDA",
    ] {
        stack
            .auth
            .run(&format!(
                "update users_user set password_hash = '{imported}'"
            ))
            .await;
        let wrong = Try::new(&user.email, "another password");
        assert_eq!(wrong.status(&stack).await, 401);
        assert_eq!(stack.auth.value(&hash).await, imported);
        let right = Try::new(&user.email, PASSWORD);
        assert_eq!(right.status(&stack).await, 200, "{imported}");
        let replaced = stack.auth.value(&hash).await;
        assert!(
            replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{replaced}"
        );
        assert_eq!(right.status(&stack).await, 200);
        assert_eq!(
            stack.auth.value(&hash).await,
            replaced,
            "a current hash stays"
        );
    }
    let version = format!("version from users_user where id = '{}'", user.user_id);
    assert_eq!(
        stack.auth.value(&format!("select {version}")).await,
        "1",
        "no change that others see"
    );
}
