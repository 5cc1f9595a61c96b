//! The links in mails: what each is redeemed for, once.

use crate::{LOGIN, auth_with_mail as auth};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    SmtpServer, Stack, Unit, User,
    client::{PASSWORD, newcomer},
    eventually,
};

const SOON: Duration = Duration::from_secs(15);
const VERIFY: &str = "/auth/api/v1/email/verify";
const RESTORE: &str = "/auth/api/v1/email/restore";
const FORGOT: &str = "/auth/api/v1/password/forgot";
const RESET: &str = "/auth/api/v1/password/reset";
const NEW_PASSWORD: &str = "another long password of mine";

/// The secrets of the links to a page in the mails to an address, in the order of the mails.
fn secrets(server: &SmtpServer, to: &str, page: &str) -> Vec<String> {
    let mails = server.mails().into_iter().filter(|mail| mail.to == to);
    let secret = |text: String| {
        let text = text.replace("=\r\n", "").replace("=3D", "=");
        let (_, link) = text.split_once(&format!("/#/{page}/"))?;
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
        Some(link.chars().take_while(is_plain).collect())
    };
    mails.filter_map(|mail| secret(mail.text)).collect()
}

/// Waits for the `number`th link to a page in the mails to an address, and returns its secret.
async fn secret(server: &SmtpServer, to: &str, page: &str, number: usize) -> String {
    let has_come = async || secrets(server, to, page).len() >= number;
    eventually(SOON, &format!("link {number} to {page}"), has_come).await;
    secrets(server, to, page).swap_remove(number - 1)
}

async fn redeem(stack: &Stack, path: &str, secret: &str) -> u16 {
    let answer = stack.client.post(path, &json!({"token": secret})).await;
    if answer.status == 400 {
        assert_eq!(answer.body["code"], "INVALID_LINK");
    }
    answer.status
}

async fn reset(stack: &Stack, secret: &str) -> u16 {
    let body = json!({"token": secret, "new_password": NEW_PASSWORD});
    stack.client.post(RESET, &body).await.status
}

async fn login(stack: &Stack, email: &str, password: &str) -> u16 {
    let body = json!({"email": email, "password": password});
    stack.client.post(LOGIN, &body).await.status
}

async fn me(stack: &Stack, user: &User) -> Value {
    stack.client.get("/auth/api/v1/users/me", user).await.body
}

/// Registers a user, and verifies the e-mail.
async fn verified(stack: &Stack, server: &SmtpServer) -> User {
    let user = stack.client.register(Role::Student).await;
    let link = secret(server, &user.email, "verify", 1).await;
    assert_eq!(redeem(stack, VERIFY, &link).await, 204);
    user
}

fn new_address() -> String {
    newcomer(Role::Student)["email"]
        .as_str()
        .expect("a newcomer has an e-mail")
        .to_owned()
}

/// The mails of a kind about a user.
async fn count(stack: &Stack, user: &User, kind: &str) -> i64 {
    let rows = format!(
        "mail where user_id = '{}' and kind = '{kind}'",
        user.user_id
    );
    stack.auth.count(&rows).await
}

#[tokio::test]
async fn a_link_verifies_the_e_mail_once_and_everybody_learns_it() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = verified(&stack, &server).await;
    assert_eq!(me(&stack, &user).await["email_verified"], true);
    let event = format!(
        "outbox where routing_key = 'auth.user.updated' and aggregate_id = '{}'
         and envelope -> 'payload' ->> 'changes' = '[\"email_verified\"]'",
        user.user_id
    );
    assert_eq!(stack.auth.count(&event).await, 1);
    let link = secrets(&server, &user.email, "verify").remove(0);
    assert_eq!(redeem(&stack, VERIFY, &link).await, 400);
    for made_up in ["", "abc", &"A".repeat(43), &"é".repeat(43)] {
        assert_eq!(redeem(&stack, VERIFY, made_up).await, 400, "{made_up}");
    }
}

#[tokio::test]
async fn the_mail_that_verifies_is_sent_again_while_it_is_of_use_three_times_an_hour() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    let again = async || {
        let path = "/auth/api/v1/email/verification";
        let answer = stack
            .client
            .ask(Method::POST, path, Some(&user.token), None);
        answer.await.unwrap().status
    };
    // The registration sent the first.
    for _ in 0..4 {
        assert_eq!(again().await, 204);
    }
    assert_eq!(count(&stack, &user, "verification").await, 3);
    let link = secret(&server, &user.email, "verify", 3).await;
    assert_eq!(redeem(&stack, VERIFY, &link).await, 204);
    stack.auth.run("delete from users_budget").await;
    assert_eq!(again().await, 204);
    assert_eq!(count(&stack, &user, "verification").await, 3);
}

#[tokio::test]
async fn a_link_sets_a_forgotten_password_once_and_ends_all_sessions() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    let body = json!({"email": user.email.to_uppercase()});
    for _ in 0..2 {
        assert_eq!(stack.client.post(FORGOT, &body).await.status, 204);
    }
    let first = secret(&server, &user.email, "reset", 1).await;
    let second = secret(&server, &user.email, "reset", 2).await;
    let weak = json!({"token": first, "new_password": "password1234"});
    let refused = stack.client.post(RESET, &weak).await;
    assert!(
        refused.body["errors"]["new_password"].is_array(),
        "{:?}",
        refused.body
    );
    assert_eq!(reset(&stack, &first).await, 204);
    assert_eq!(
        (reset(&stack, &first).await, reset(&stack, &second).await),
        (400, 400)
    );
    assert_eq!(login(&stack, &user.email, PASSWORD).await, 401);
    assert_eq!(login(&stack, &user.email, NEW_PASSWORD).await, 200);
    let of_before = format!(
        "users_session where user_id = '{}' and not revoked",
        user.user_id
    );
    assert_eq!(stack.auth.count(&of_before).await, 1);
    let refresh = json!({"refresh_token": user.body["refresh_token"]});
    let refreshed = stack.client.post("/auth/api/v1/refresh", &refresh).await;
    assert_eq!(refreshed.status, 401);
    // Who has the link owns the address.
    let is_verified = format!(
        "users_user where id = '{}' and email_verified",
        user.user_id
    );
    assert_eq!(stack.auth.count(&is_verified).await, 1);
    assert_eq!(count(&stack, &user, "password_changed").await, 1);
    let audited = format!(
        "users_audit where subject = '{}' and action = 'reset_password'",
        user.user_id
    );
    assert_eq!(stack.auth.count(&audited).await, 1);
}

#[tokio::test]
async fn a_forgotten_password_answers_alike_for_unknown_disabled_and_too_often() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    let disabled = stack.client.register(Role::Student).await;
    let disable = format!(
        "update users_user set is_active = false where id = '{}'",
        disabled.user_id
    );
    stack.auth.run(&disable).await;
    for email in [&user.email, &disabled.email, "nobody@example.org"] {
        for _ in 0..4 {
            let answer = stack.client.post(FORGOT, &json!({"email": email})).await;
            assert_eq!((answer.status, answer.body), (204, Value::Null));
        }
    }
    assert_eq!(count(&stack, &user, "password_reset").await, 3);
    assert_eq!(
        stack.auth.count("mail where kind = 'password_reset'").await,
        3
    );
    // An address without a user is counted like one with a user: the same rows are written.
    let counted = "users_budget where purpose = 'password_reset'";
    assert_eq!(stack.auth.count(counted).await, 3);
    stack
        .auth
        .run("update users_link_secret set expires_at = now()")
        .await;
    let late = secret(&server, &user.email, "reset", 1).await;
    stack
        .auth
        .run("update users_link_secret set expires_at = now()")
        .await;
    assert_eq!(reset(&stack, &late).await, 400);
}

#[tokio::test]
async fn a_secret_is_good_for_its_purpose_only() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    stack
        .client
        .post(FORGOT, &json!({"email": user.email}))
        .await;
    let verify = secret(&server, &user.email, "verify", 1).await;
    let set = secret(&server, &user.email, "reset", 1).await;
    assert_eq!(reset(&stack, &verify).await, 400);
    for secret in [&verify, &set] {
        assert_eq!(redeem(&stack, RESTORE, secret).await, 400);
    }
    assert_eq!(redeem(&stack, VERIFY, &set).await, 400);
    assert_eq!(redeem(&stack, VERIFY, &verify).await, 204);
    assert_eq!(reset(&stack, &set).await, 204);
}

#[tokio::test]
async fn the_old_address_takes_a_change_of_the_e_mail_back() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = verified(&stack, &server).await;
    let thief = format!("thief-{}", user.email);
    let change = json!({"email": thief, "current_password": PASSWORD});
    let path = "/auth/api/v1/users/me/email";
    let changed = stack
        .client
        .ask(Method::POST, path, Some(&user.token), Some(&change));
    assert_eq!(changed.await.unwrap().body["email_verified"], false);
    let of_thief = secret(&server, &thief, "verify", 1).await;
    let link = secret(&server, &user.email, "restore", 1).await;
    assert_eq!(redeem(&stack, RESTORE, &link).await, 204);
    assert_eq!(redeem(&stack, RESTORE, &link).await, 400);
    assert_eq!(redeem(&stack, VERIFY, &of_thief).await, 400);
    let row = format!(
        "users_user where email = '{}' and email_verified",
        user.email
    );
    assert_eq!(stack.auth.count(&row).await, 1);
    for email in [&thief, &user.email] {
        assert_eq!(login(&stack, email, PASSWORD).await, 401);
    }
    let open = format!(
        "users_session where user_id = '{}' and not revoked",
        user.user_id
    );
    assert_eq!(stack.auth.count(&open).await, 0);
    let set = secret(&server, &user.email, "reset", 1).await;
    assert_eq!(reset(&stack, &set).await, 204);
    assert_eq!(login(&stack, &user.email, NEW_PASSWORD).await, 200);
}

#[tokio::test]
async fn an_old_address_that_another_user_has_now_is_not_taken_back() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = verified(&stack, &server).await;
    let change = json!({"email": format!("new-{}", user.email), "current_password": PASSWORD});
    let path = "/auth/api/v1/users/me/email";
    let changed = stack
        .client
        .ask(Method::POST, path, Some(&user.token), Some(&change));
    assert_eq!(changed.await.unwrap().status, 200);
    let link = secret(&server, &user.email, "restore", 1).await;
    let other = stack.client.register(Role::Student).await;
    let take = |email: &str| {
        format!(
            "update users_user set email = '{email}' where id = '{}'",
            other.user_id
        )
    };
    stack.auth.run(&take(&user.email)).await;
    assert_eq!(redeem(&stack, RESTORE, &link).await, 409);
    // The link is still good.
    stack.auth.run(&take(&other.email)).await;
    assert_eq!(redeem(&stack, RESTORE, &link).await, 204);
}

#[tokio::test]
async fn a_user_whom_an_administrator_creates_sets_the_password_by_mail() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let admin = crate::admin(&stack).await;
    let create = async |body: Value| {
        let answer = stack.client.ask(
            Method::POST,
            "/auth/api/v1/users",
            Some(&admin.token),
            Some(&body),
        );
        assert_eq!(answer.await.unwrap().status, 201);
    };
    let email = new_address();
    create(json!({"email": email, "locale": "ar"})).await;
    let set = secret(&server, &email, "reset", 1).await;
    assert_eq!(reset(&stack, &set).await, 204);
    assert_eq!(login(&stack, &email, NEW_PASSWORD).await, 200);
    let email = new_address();
    create(json!({"email": email, "password": PASSWORD})).await;
    secret(&server, &email, "verify", 1).await;
    assert!(secrets(&server, &email, "reset").is_empty());
}

#[tokio::test]
async fn a_log_in_by_a_new_device_is_told_to_a_verified_address_only() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    let from = async |agent: &str, device: &Value| {
        let body = json!({"email": user.email, "password": PASSWORD, "device": device});
        let request = reqwest::Client::new()
            .post(stack.client.url(LOGIN))
            .json(&body);
        let answer = request.header("user-agent", agent).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["device"].clone()
    };
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0";
    from(firefox, &Value::Null).await;
    assert_eq!(count(&stack, &user, "new_device").await, 0);
    let link = secret(&server, &user.email, "verify", 1).await;
    assert_eq!(redeem(&stack, VERIFY, &link).await, 204);
    from(firefox, &Value::Null).await;
    assert_eq!(count(&stack, &user, "new_device").await, 0);
    let chrome = firefox.replace("Firefox", "Chrome");
    let device = from(&chrome, &Value::Null).await;
    assert_eq!(count(&stack, &user, "new_device").await, 1);
    // A device that showed its token is known, whatever its browser calls itself.
    from("curl/8.5.0", &device).await;
    assert_eq!(count(&stack, &user, "new_device").await, 1);
    let mails = || server.mails().into_iter();
    let is_named = async || mails().any(|mail| mail.text.contains("Chrome on Linux"));
    eventually(SOON, "the mail names the device", is_named).await;
}

#[tokio::test]
async fn who_does_not_verify_is_told_after_23_days_and_deleted_after_30() {
    let server = SmtpServer::start().await;
    let mut stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    let kept = verified(&stack, &server).await;
    let admin = crate::admin(&stack).await;
    let age = async |stack: &Stack, column: &str, days: u32| {
        let set = format!(
            "update users_user set {column} = now() - interval '{days} days' where {column} is not null"
        );
        stack.auth.run(&set).await;
    };
    age(&stack, "created_at", 22).await;
    stack.stop(Unit::Auth, SOON).await;
    stack.start_units(&[Unit::Auth]).await;
    assert_eq!(count(&stack, &user, "deletion_ahead").await, 0);

    age(&stack, "created_at", 24).await;
    stack.stop(Unit::Auth, SOON).await;
    stack.start_units(&[Unit::Auth]).await;
    // Its link verifies the address.
    secret(&server, &user.email, "verify", 2).await;
    assert_eq!(
        stack.auth.count("mail where kind = 'deletion_ahead'").await,
        1
    );

    age(&stack, "deletion_announced_at", 8).await;
    stack.stop(Unit::Auth, SOON).await;
    stack.start_units(&[Unit::Auth]).await;
    let is_gone = format!(
        "select not exists (select from users_user where id = '{id}')
         and exists (select from outbox where routing_key = 'auth.user.deleted' and aggregate_id = '{id}')
         and exists (select from users_audit where subject = '{id}' and action = 'delete_unverified')",
        id = user.user_id
    );
    eventually(SOON, "the user is deleted", async || {
        stack.auth.is(&is_gone).await
    })
    .await;
    for user in [&kept, &admin] {
        let row = format!("users_user where id = '{}'", user.user_id);
        assert_eq!(stack.auth.count(&row).await, 1);
    }
}
