//! Bodies of parked events name persons: they go with them, and no body is kept without a purpose.

use crate::fixture::{Fixture, SOON};
use events::{Event as _, UserId, auth::UserCreated};
use serde_json::json;
use test_support::eventually;

#[tokio::test]
async fn an_unreadable_message_about_an_erased_user_is_kept_without_its_body() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let user_id = UserId::new();
    let mut tx = fixture.outbox_without_relay().begin().await.unwrap();
    tx.erase(&[user_id.as_uuid()], &[]).await.unwrap();
    tx.commit().await.unwrap();
    let payload = json!({"user_id": user_id.to_string().to_uppercase(), "role": "king"});
    let body = json!({"payload": payload, "_meta": {}}).to_string();
    fixture.vhost.publish(UserCreated::KEY, body).await;
    fixture
        .parked("state = 'dead' and kind = 'erased' and body = ''")
        .await;
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn an_erasure_finds_bodies_by_the_e_mail_in_whatever_case() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let body = json!({"payload": {"email": "Someone@Example.com"}, "_meta": {}}).to_string();
    fixture.vhost.publish(UserCreated::KEY, body).await;
    fixture.parked("state = 'dead' and body <> ''").await;
    let mut tx = fixture.outbox_without_relay().begin().await.unwrap();
    tx.erase(&[], &["someone@example.com".to_owned()])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    fixture.parked("kind = 'erased' and body = ''").await;
}

#[tokio::test]
async fn events_without_a_handler_are_kept_up_to_a_hundred_of_one_key() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    for i in 0..130 {
        let body = json!({"payload": {"i": i}, "_meta": {}}).to_string();
        fixture.vhost.publish("auth.user.promoted", body).await;
    }
    fixture.proof_of_life().await;
    let kept = "parked_event where state = 'dead' and kind = 'unknown_key'";
    eventually(SOON, "a hundred are kept", async || {
        fixture.database.count(kept).await == 100
    })
    .await;
    assert_eq!(fixture.database.count("parked_event").await, 100);
}
