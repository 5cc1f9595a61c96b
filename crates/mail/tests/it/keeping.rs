//! What stays of a mail, and for how long.

use crate::fixture::{Fixture, SOON, mail_to};
use mail::Content;
use test_support::eventually;

#[tokio::test]
async fn a_day_after_a_mail_was_sent_nothing_personal_stays() {
    let fixture = Fixture::new().await;
    let running = fixture.start();
    let sent = fixture
        .enqueue("sent@example.org", Content::Verification)
        .await;
    fixture.until(sent, "sent").await;
    let fresh = fixture
        .enqueue("fresh@example.org", Content::Verification)
        .await;
    fixture.until(fresh, "sent").await;
    running.stop().await;
    let age =
        format!("update mail set finished_at = now() - interval '25 hours' where id = '{sent}'");
    fixture.database.run(&age).await;
    let running = fixture.start();
    let blank = format!(
        "select recipient is null and arguments is null and reason is null from mail where id = '{sent}'"
    );
    eventually(SOON, &blank, async || fixture.database.is(&blank).await).await;
    running.stop().await;
    assert_eq!(fixture.value(sent, "state").await, "sent");
    assert_eq!(fixture.value(fresh, "recipient").await, "fresh@example.org");
}

#[tokio::test]
async fn a_row_is_deleted_after_thirty_days() {
    let fixture = Fixture::new().await;
    let old = fixture
        .enqueue("old@example.org", Content::Verification)
        .await;
    let young = fixture
        .enqueue("young@example.org", Content::Verification)
        .await;
    let running = fixture.start();
    for id in [old, young] {
        fixture.until(id, "sent").await;
    }
    running.stop().await;
    for (id, days) in [(old, 31), (young, 29)] {
        let age = format!(
            "update mail set created_at = now() - interval '{days} days' where id = '{id}'"
        );
        fixture.database.run(&age).await;
    }
    let _running = fixture.start();
    eventually(SOON, "one row is left", async || {
        fixture.database.count("mail").await == 1
    })
    .await;
    assert_eq!(fixture.value(young, "state").await, "sent");
}

#[tokio::test]
async fn erasure_deletes_the_mails_of_one_user_only() {
    let fixture = Fixture::new().await;
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    let mails = ["a@example.org", "b@example.org"].map(|to| mail_to(to, Content::Verification));
    for mail in &mails {
        mail::enqueue(&mut connection, mail).await.unwrap();
    }
    mail::erase(&mut connection, mails[0].user_id)
        .await
        .unwrap();
    let left = fixture
        .database
        .value("select string_agg(recipient, ' ') from mail")
        .await;
    assert_eq!(left, "b@example.org");
}
