//! The secrets of links: drawn at each try, and stored nowhere else.

use crate::fixture::{BROKEN, Fixture, OBSOLETE, PUBLIC_URL, SOON, mail_to};
use mail::{Content, Mail};
use test_support::{
    eventually,
    smtp::{Failure, Step},
};
use uuid::Uuid;

#[tokio::test]
async fn each_try_draws_a_secret_of_its_own_and_no_row_holds_one() {
    let fixture = Fixture::new().await;
    fixture.server.fail(Step::Text, Failure::KeepAndCut);
    let running = fixture.start();
    let id = fixture
        .enqueue("amina@example.org", Content::PasswordReset)
        .await;
    fixture.until(id, "sent").await;
    running.stop().await;
    let secrets = fixture
        .database
        .value("select string_agg(secret, ' ' order by at) from secret")
        .await;
    let secrets: Vec<_> = secrets.split(' ').collect();
    let mails = fixture.server.mails();
    assert_eq!((secrets.len(), mails.len()), (2, 2));
    for (secret, mail) in secrets.iter().zip(&mails) {
        let text = mail.text.replace("=\r\n", "").replace("=3D", "=");
        assert!(
            text.contains(&format!("{PUBLIC_URL}/#/reset/{secret}")),
            "{text}"
        );
        let rows = format!("mail where mail::text like '%{secret}%'");
        assert_eq!(fixture.database.count(&rows).await, 0);
    }
    let drawn =
        "secret where purpose = 'reset' and recipient = 'amina@example.org' and seconds = 3600";
    assert_eq!(fixture.database.count(drawn).await, 2);
}

#[tokio::test]
async fn at_most_three_secrets_of_a_user_are_live() {
    let fixture = Fixture::new().await;
    let user_id = Uuid::now_v7();
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    let running = fixture.start();
    for content in [
        Content::Verification,
        Content::PasswordReset,
        Content::PasswordReset,
        Content::PasswordReset,
        Content::SetPassword,
    ] {
        let mail = Mail {
            user_id,
            ..mail_to("amina@example.org", content)
        };
        let id = mail::enqueue(&mut connection, &mail).await.unwrap();
        fixture.until(id, "sent").await;
    }
    running.stop().await;
    assert_eq!(
        fixture
            .database
            .count("secret where purpose = 'reset'")
            .await,
        3
    );
    assert_eq!(
        fixture
            .database
            .count("secret where purpose = 'verify'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_link_without_a_purpose_is_not_sent() {
    let fixture = Fixture::new().await;
    let _running = fixture.start();
    let id = fixture.enqueue(OBSOLETE, Content::Verification).await;
    fixture.until(id, "failed").await;
    assert_eq!(fixture.value(id, "failure").await, "obsolete");
    assert_eq!(fixture.server.connections(), 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_drawn_holds_up_no_other_mail() {
    let fixture = Fixture::new().await;
    let broken = fixture.enqueue(BROKEN, Content::Verification).await;
    let id = fixture
        .enqueue("amina@example.org", Content::Verification)
        .await;
    let _running = fixture.start();
    fixture.until(id, "sent").await;
    assert_eq!(fixture.value(broken, "state").await, "queued");
}

#[tokio::test]
async fn a_mail_without_a_link_draws_no_secret() {
    let fixture = Fixture::new().await;
    let _running = fixture.start();
    let at = "2026-11-26T14:05:09Z".parse().unwrap();
    let id = fixture
        .enqueue("amina@example.org", Content::PasswordChanged { at })
        .await;
    fixture.until(id, "sent").await;
    assert_eq!(fixture.database.count("secret").await, 0);
}

#[tokio::test]
async fn the_mail_of_a_user_who_is_erased_while_it_is_sent_does_not_leave() {
    let fixture = Fixture::new().await;
    let mail = mail_to("amina@example.org", Content::Verification);
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    fixture.server.fail(Step::Data, Failure::Hold);
    let id = mail::enqueue(&mut connection, &mail).await.unwrap();
    let _running = fixture.start();
    // The server is about to ask for the text.
    eventually(SOON, "the server waits", async || {
        fixture.server.has_failed()
    })
    .await;
    mail::erase(&mut connection, mail.user_id).await.unwrap();
    fixture.server.release();
    assert_eq!(
        fixture
            .database
            .count(&format!("mail where id = '{id}'"))
            .await,
        0
    );
    let other = fixture
        .enqueue("other@example.org", Content::Verification)
        .await;
    fixture.until(other, "sent").await;
    let recipients: Vec<_> = fixture
        .server
        .mails()
        .into_iter()
        .map(|mail| mail.to)
        .collect();
    assert_eq!(recipients, ["other@example.org"]);
}
