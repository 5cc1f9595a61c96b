//! From the queue to the effect.

use crate::fixture::{Fixture, SOON, bare_envelope, compat_broker, user};
use events::{
    Event as _, EventId,
    auth::{UserCreated, UserDeleted},
    topology::PROFILE,
};
use lapin::{BasicProperties, options::BasicPublishOptions};
use test_support::eventually;

#[tokio::test]
async fn the_same_event_has_one_effect_however_often_it_comes() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let event = user("again and again");
    let body = bare_envelope(&event, EventId::new());
    for _ in 0..20 {
        fixture.vhost.publish(UserCreated::KEY, &body).await;
    }
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 2);
    assert_eq!(fixture.database.count("inbox").await, 2);
}

#[tokio::test]
async fn what_was_published_before_the_first_consumer_is_kept_for_it() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let event = user("early");
    fixture.send(&event).await;
    fixture.start_consumer().await;
    fixture.has_effect(&event).await;
}

#[tokio::test]
async fn an_event_without_a_handler_is_kept_and_acknowledged() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    fixture
        .vhost
        .publish("auth.user.promoted", br#"{"payload": {}, "_meta": {}}"#)
        .await;
    fixture.proof_of_life().await;
    // A later version may have a handler: the event is kept, so that it can be replayed.
    fixture
        .parked("state = 'dead' and kind = 'unknown_key'")
        .await;
    assert_eq!(fixture.database.count("parked_event").await, 1);
    eventually(SOON, "the queue is empty", async || {
        fixture.vhost.depth(PROFILE.queue.name).await == Some(0)
    })
    .await;
}

#[tokio::test]
async fn two_events_about_one_aggregate_in_one_batch_are_both_handled_in_order() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let mut event = user("first");
    fixture.send(&event).await;
    event.email = "second".into();
    fixture.send(&event).await;
    fixture.start_consumer().await;
    eventually(SOON, "both", async || fixture.effects().await == 2).await;
    let in_order = "(select array_agg(email order by at) from effect) = array['first', 'second']";
    assert!(fixture.database.is(in_order).await);
}

/// In production a service's login may read its queue and declare nothing.
#[tokio::test]
async fn a_login_that_may_not_declare_consumes_all_the_same() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let broker = fixture.production_broker().await;
    fixture
        .start_consumer_at(fixture.database.pool.clone(), broker)
        .await;
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn messages_of_the_replaced_services_are_read_when_their_exchange_is_configured() {
    const OLD: &str = "medtrack.events";
    let fixture = Fixture::new().await;
    let broker = compat_broker(&fixture.vhost.amqp_url, OLD);
    fixture
        .start_consumer_at(fixture.database.pool.clone(), broker)
        .await;
    let event = user("old");
    let body = serde_json::json!({"event_type": "user.created", "payload": event, "service": "auth-service",
                                  "timestamp": "2025-12-18T08:00:00", "version": "1.0"});
    let bad = serde_json::json!({"event_type": "user.created", "payload": {"user_id": 1}, "service": "auth-service"});
    let channel = fixture.vhost.channel().await;
    for (key, body) in [
        ("user.created", &body),
        ("user.created", &body),
        ("user.created", &bad),
        ("user.login", &body),
    ] {
        let options = BasicPublishOptions::default();
        let body = body.to_string();
        channel
            .basic_publish(
                OLD.into(),
                key.into(),
                options,
                body.as_bytes(),
                BasicProperties::default(),
            )
            .await
            .unwrap();
    }
    fixture.has_effect(&event).await;
    fixture
        .parked("state = 'dead' and kind = 'bad_payload' and exchange = 'medtrack.events'")
        .await;
    fixture.proof_of_life().await;
    assert_eq!(
        fixture.effects().await,
        2,
        "copies and unknown keys have no effect"
    );
    assert_eq!(fixture.database.count("parked_event").await, 1);
}

#[tokio::test]
async fn an_ignored_event_is_recorded_in_the_inbox_and_has_no_effect() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let event_id = EventId::new();
    let meta =
        serde_json::json!({"event_id": event_id, "source": "auth-service", "aggregate_version": 1});
    let body = serde_json::json!({"payload": UserDeleted::sample(), "_meta": meta});
    fixture
        .vhost
        .publish(UserDeleted::KEY, body.to_string())
        .await;
    let recorded = format!("exists (select from inbox where event_id = '{event_id}')");
    eventually(SOON, "the inbox records it", async || {
        fixture.database.is(&recorded).await
    })
    .await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 1);
    assert_eq!(fixture.database.count("parked_event").await, 0);
}
