//! The mails of auth-service: that they leave, and what becomes of their links.

use crate::auth_with_mail as auth;
use events::Role;
use mail::{Content, Language, Mail};
use reqwest::Method;
use std::time::Duration;
use test_support::{Process, SmtpServer, Stack, User, client::PASSWORD, eventually};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(15);

async fn enqueue(stack: &Stack, user: &User, recipient: &str, content: Content) -> Uuid {
    let mail = Mail {
        user_id: user.user_id.as_uuid(),
        recipient,
        name: "Amina",
        language: Language::French,
        content,
    };
    let connection = stack.auth.pool.acquire().await;
    let mut connection = connection.expect("the database answers");
    let id = mail::enqueue(&mut connection, &mail).await;
    id.expect("the database takes the mail")
}

async fn until(stack: &Stack, id: Uuid, condition: &str) {
    let is = format!("select {condition} from mail where id = '{id}'");
    eventually(SOON, &is, async || stack.auth.is(&is).await).await;
}

#[tokio::test]
async fn a_link_holds_the_secret_whose_digest_is_stored() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    for _ in 0..4 {
        let id = enqueue(&stack, &user, &user.email, Content::PasswordReset).await;
        until(&stack, id, "state = 'sent'").await;
    }
    let id = enqueue(&stack, &user, &user.email, Content::Verification).await;
    until(&stack, id, "state = 'sent'").await;
    let count = async |purpose| {
        let rows = format!(
            "users_link_secret where user_id = '{}' and purpose = '{purpose}'",
            user.user_id
        );
        stack.auth.count(&rows).await
    };
    // The registration sends a mail, too.
    assert_eq!((count("reset").await, count("verify").await), (3, 2));
    let mut texts = server
        .mails()
        .into_iter()
        .map(|mail| mail.text.replace("=\r\n", "").replace("=3D", "="));
    let link = "http://localhost:8080/#/reset/";
    let text = texts.rfind(|text| text.contains(link)).unwrap();
    let (_, link) = text.split_once(link).unwrap();
    let secret: String = { link.chars() }
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    let stored = format!(
        "users_link_secret where secret_hash = encode(sha256('{secret}'), 'hex') and email = '{}'
         and expires_at between now() + interval '59 minutes' and now() + interval '61 minutes'",
        user.email
    );
    assert_eq!(stack.auth.count(&stored).await, 1, "{secret}");
    assert!(text.contains("Content-Language: fr"), "{text}");
}

#[tokio::test]
async fn a_link_that_is_of_no_use_any_more_is_not_sent() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    let has_come = async || server.mails().len() == 1;
    eventually(SOON, "the mail of the registration", has_come).await;
    let obsolete = [
        enqueue(&stack, &user, "old@example.org", Content::Verification).await,
        enqueue(&stack, &user, "old@example.org", Content::PasswordReset).await,
        enqueue(
            &stack,
            &user,
            &user.email,
            Content::EmailChanged {
                at: "2026-11-26T14:05:09Z".parse().unwrap(),
            },
        )
        .await,
    ];
    for id in obsolete {
        until(&stack, id, "state = 'failed' and failure = 'obsolete'").await;
    }
    stack
        .auth
        .run(&format!(
            "update users_user set email_verified = true where id = '{}'",
            user.user_id
        ))
        .await;
    let id = enqueue(&stack, &user, &user.email, Content::Verification).await;
    until(&stack, id, "failure = 'obsolete'").await;
    assert_eq!(server.mails().len(), 1);
    assert_eq!(stack.auth.count("users_link_secret").await, 1);
}

#[tokio::test]
async fn a_user_who_is_deleted_leaves_no_mail_and_no_secret() {
    let server = SmtpServer::start().await;
    let stack = auth(&server).await;
    let user = stack.client.register(Role::Student).await;
    let other = stack.client.register(Role::Student).await;
    for user in [&user, &other] {
        let id = enqueue(&stack, user, &user.email, Content::Verification).await;
        until(&stack, id, "state = 'sent'").await;
    }
    let body = serde_json::json!({"current_password": PASSWORD});
    let path = "/auth/api/v1/users/me";
    let deleted = stack
        .client
        .ask(Method::DELETE, path, Some(&user.token), Some(&body));
    assert_eq!(deleted.await.unwrap().status, 204);
    for table in ["mail", "users_link_secret"] {
        let of = |user: &User| format!("{table} where user_id = '{}'", user.user_id);
        assert_eq!(stack.auth.count(&of(&user)).await, 0, "{table}");
        assert_eq!(stack.auth.count(&of(&other)).await, 2, "{table}");
    }
}

#[tokio::test]
async fn production_starts_only_with_a_mail_server_or_the_word_none() {
    let strong = |url: &str| url.replacen("://", "://strong:password-of-a-test@", 1);
    let refusal = async |settings: &[(&str, &str)]| {
        let mut environment = vec![
            ("MEDTRACK_ENV", "production".to_owned()),
            ("DATABASE_URL", strong("postgres://127.0.0.1/auth_db")),
            ("AMQP_URL", strong("amqp://127.0.0.1/%2f")),
        ];
        environment.extend(
            settings
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let mut process = Process::start("auth-service", &["serve"], &environment);
        assert!(!process.exit(SOON).await.success());
        process.log().join("\n")
    };
    let https = ("PUBLIC_URL", "https://medtrack.example");
    let said = refusal(&[https]).await;
    assert!(said.contains("MAIL_URL is missing"), "{said}");
    let said = refusal(&[https, ("MAIL_URL", "file:///tmp/mail")]).await;
    assert!(said.contains("MAIL_URL names a directory"), "{said}");
    let said = refusal(&[
        ("MAIL_URL", "none"),
        ("PUBLIC_URL", "http://medtrack.example"),
    ])
    .await;
    assert!(said.contains("PUBLIC_URL is not https"), "{said}");
}
