//! From the committed row to the confirmed message.

use crate::fixture::{Fixture, SOON, commit, user};
use events::{Event as _, auth::UserCreated, profile::StudentCreated, topology::EXCHANGE};
use lapin::types::FieldTable;
use messaging::{Cause, EnqueueError, NewEvent};
use std::{collections::HashSet, time::Duration};
use test_support::{Message, Mode, eventually};
use uuid::Uuid;

const UNPUBLISHED: &str = "outbox where published_at is null";

#[tokio::test]
async fn a_committed_event_is_published_persistent_and_marked() {
    let fixture = Fixture::new().await;
    let tap = fixture.vhost.tap("#").await;
    let (outbox, _relay) = fixture.start_relay();
    let (event, correlation) = (user("a@example.com"), Uuid::now_v7());
    let mut tx = outbox.begin().await.unwrap();
    tx.enqueue(&Cause::root(correlation), 1, event.clone())
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let message = tap.hear(|_| true).await;
    let (body, properties) = (message.json(), &message.properties);
    assert_eq!(message.routing_key, UserCreated::KEY);
    assert_eq!(body["payload"]["user_id"], event.user_id.to_string());
    assert_eq!(body["_meta"]["routing_key"], UserCreated::KEY);
    assert_eq!(body["_meta"]["source"], "auth-service");
    assert_eq!(body["_meta"]["correlation_id"], correlation.to_string());
    assert_eq!(body["_meta"]["aggregate_version"], 1);
    assert!(body["_meta"]["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(
        properties.content_type().as_ref().unwrap().as_str(),
        "application/json"
    );
    assert_eq!(
        properties.message_id().as_ref().unwrap().as_str(),
        body["_meta"]["event_id"]
    );
    assert_eq!(
        properties.kind().as_ref().unwrap().as_str(),
        UserCreated::KEY
    );
    assert_eq!(
        properties.app_id().as_ref().unwrap().as_str(),
        "auth-service"
    );
    assert!(properties.user_id().is_some());
    eventually(SOON, "marked as published", async || {
        fixture.database.count(UNPUBLISHED).await == 0
    })
    .await;
}

#[tokio::test]
async fn no_event_for_a_change_that_did_not_commit() {
    let fixture = Fixture::new().await;
    let tap = fixture.vhost.tap("#").await;
    let (outbox, _relay) = fixture.start_relay();
    let mut tx = outbox.begin().await.unwrap();
    tx.enqueue(&Cause::root(Uuid::now_v7()), 1, user("ghost"))
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    let mut tx = outbox.begin().await.unwrap();
    tx.enqueue(&Cause::root(Uuid::now_v7()), 1, user("dropped"))
        .await
        .unwrap();
    drop(tx);
    commit(&outbox, user("real")).await;
    let first = tap.hear(|_| true).await;
    assert_eq!(first.json()["payload"]["email"], "real");
    assert_eq!(fixture.database.count("outbox").await, 1);
}

#[tokio::test]
async fn what_a_dead_process_left_is_swept() {
    let fixture = Fixture::new().await;
    commit(&fixture.outbox_without_relay(), user("left behind")).await;
    let tap = fixture.vhost.tap("#").await;
    let (_outbox, _relay) = fixture.start_relay();
    let message = tap.hear(|_| true).await;
    assert_eq!(message.json()["payload"]["email"], "left behind");
}

#[tokio::test]
async fn an_event_is_written_while_the_broker_is_away_and_published_when_it_is_back() {
    let fixture = Fixture::new().await;
    let (outbox, _relay) = fixture.start_relay();
    let tap = fixture.vhost.tap("#").await;
    for mode in [Mode::Refuse, Mode::Reset, Mode::AcceptThenClose] {
        fixture.to_broker.set(mode);
        let event = user(&format!("{mode:?}"));
        commit(&outbox, event.clone()).await;
        assert_eq!(fixture.database.count(UNPUBLISHED).await, 1, "{mode:?}");
        fixture.to_broker.set(Mode::Pass);
        tap.hear(|message| message.json()["payload"]["email"] == event.email)
            .await;
        eventually(SOON, "marked as published", async || {
            fixture.database.count(UNPUBLISHED).await == 0
        })
        .await;
    }
}

#[tokio::test]
async fn a_relay_that_starts_without_a_broker_finds_it_later() {
    let fixture = Fixture::new().await;
    fixture.to_broker.set(Mode::Refuse);
    let (outbox, _relay) = fixture.start_relay();
    commit(&outbox, user("early")).await;
    let tap = fixture.vhost.tap("#").await;
    fixture.to_broker.set(Mode::Pass);
    assert_eq!(tap.hear(|_| true).await.json()["payload"]["email"], "early");
}

/// What is committed while the first sweep over a new connection waits for the table is found by the sweep, and handed
/// over as well.
#[tokio::test]
async fn an_event_that_is_handed_over_during_the_first_sweep_is_published_once() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let tap = fixture.vhost.tap("#").await;
    let (outbox, relay) = messaging::outbox(fixture.database.pool.clone(), fixture.broker());
    let mut tx = outbox.begin().await.unwrap();
    let cause = Cause::root(Uuid::now_v7());
    tx.enqueue(&cause, 1, user("once")).await.unwrap();
    sqlx::raw_sql("lock table outbox in share row exclusive mode")
        .execute(&mut *tx)
        .await
        .unwrap();
    tokio::spawn(relay.run(fixture.stop.clone()));
    let waits = "exists (select from pg_locks where not granted and relation = 'outbox'::regclass)";
    eventually(SOON, "the sweep waits", async || {
        fixture.database.is(waits).await
    })
    .await;
    tx.commit().await.unwrap();
    commit(&outbox, user("later")).await;
    let email = |message: &Message| message.json()["payload"]["email"].clone();
    tap.hear(|message| email(message) == "later").await;
    let emails: Vec<_> = tap.heard().iter().map(email).collect();
    assert_eq!(emails, ["once", "later"]);
}

/// lapin gives a returned message to whichever confirm comes next; trusting that would lose events.
#[tokio::test]
async fn only_what_was_returned_counts_as_returned() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let (outbox, _relay) = fixture.start_relay();
    commit(&outbox, user("connected")).await;
    eventually(SOON, "the relay works", async || {
        fixture.database.count(UNPUBLISHED).await == 0
    })
    .await;

    let channel = fixture.vhost.channel().await;
    for (queue, pattern) in [
        ("comm.events", "student.*"),
        ("auth.events", "student.created"),
    ] {
        let unbind = channel.queue_unbind(
            queue.into(),
            EXCHANGE.into(),
            pattern.into(),
            FieldTable::default(),
        );
        unbind.await.unwrap();
    }
    let mut tx = outbox.begin().await.unwrap();
    let cause = Cause::root(Uuid::now_v7());
    for round in 0..40 {
        let users: Vec<_> = (0..4)
            .map(|_| NewEvent {
                cause: cause.clone(),
                version: 1,
                event: user("routed"),
            })
            .collect();
        tx.enqueue_all(&users).await.unwrap();
        if round % 4 == 0 {
            tx.enqueue(&cause, 1, StudentCreated::sample())
                .await
                .unwrap();
        }
    }
    tx.commit().await.unwrap();
    eventually(SOON, "all is settled", async || {
        fixture
            .database
            .count("outbox where published_at is null and unroutable_at is null")
            .await
            == 0
    })
    .await;
    let returned =
        "outbox where unroutable_at is not null and published_at is null and routing_key = ";
    assert_eq!(
        fixture
            .database
            .count(&format!("{returned}'student.created'"))
            .await,
        10
    );
    assert_eq!(
        fixture
            .database
            .count(&format!("{returned}'auth.user.created'"))
            .await,
        0
    );
    assert_eq!(
        fixture
            .database
            .count("outbox where published_at is not null")
            .await,
        161
    );
}

#[tokio::test]
async fn two_relays_share_one_outbox_and_lose_nothing() {
    let fixture = Fixture::new().await;
    let tap = fixture.vhost.tap("#").await;
    let outbox = fixture.outbox_without_relay();
    let mut tx = outbox.begin().await.unwrap();
    let cause = Cause::root(Uuid::now_v7());
    let new_events: Vec<_> = (0..700)
        .map(|_| NewEvent {
            cause: cause.clone(),
            version: 1,
            event: user("many"),
        })
        .collect();
    tx.enqueue_all(&new_events).await.unwrap();
    tx.commit().await.unwrap();
    let (_first, _relay) = fixture.start_relay();
    let (_second, _other_relay) = fixture.start_relay();
    eventually(SOON, "all is published", async || {
        fixture.database.count(UNPUBLISHED).await == 0
    })
    .await;
    let heard = eventually(SOON, "all are received", async || {
        let ids: HashSet<String> = tap
            .heard()
            .iter()
            .map(|message| message.json()["_meta"]["event_id"].to_string())
            .collect();
        (ids.len() == 700).then_some(tap.heard().len())
    })
    .await;
    assert_eq!(
        heard, 700,
        "claims keep two relays from publishing the same row"
    );
}

#[tokio::test]
async fn a_payload_over_the_limit_is_refused_before_the_commit() {
    let fixture = Fixture::new().await;
    let mut tx = fixture.outbox_without_relay().begin().await.unwrap();
    let refused = tx
        .enqueue(&Cause::root(Uuid::now_v7()), 1, user(&"x".repeat(20_000)))
        .await;
    assert!(
        matches!(refused, Err(EnqueueError::TooLarge(_))),
        "{refused:?}"
    );
    tx.commit().await.unwrap();
    assert_eq!(fixture.database.count("outbox").await, 0);
}

#[tokio::test]
async fn a_relay_that_stops_first_publishes_the_events_in_hand() {
    let fixture = Fixture::new().await;
    let tap = fixture.vhost.tap("#").await;
    let (outbox, relay) = fixture.start_relay();
    commit(&outbox, user("first")).await;
    tap.hear(|_| true).await;
    for _ in 0..100 {
        commit(&outbox, user("in hand")).await;
    }
    fixture.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), relay)
        .await
        .expect("the relay ends in time")
        .unwrap();
    assert_eq!(fixture.database.count(UNPUBLISHED).await, 0);
}

#[tokio::test]
async fn an_event_continues_the_trace_of_its_request() {
    let fixture = Fixture::new().await;
    let tap = fixture.vhost.tap("#").await;
    let (outbox, _relay) = fixture.start_relay();
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let cause = Cause::root(Uuid::now_v7()).with_traceparent(Some(traceparent.into()));
    let mut tx = outbox.begin().await.unwrap();
    tx.enqueue(&cause, 1, user("traced")).await.unwrap();
    tx.commit().await.unwrap();
    let message = tap.hear(|_| true).await;
    assert_eq!(message.json()["_meta"]["traceparent"], traceparent);
}
