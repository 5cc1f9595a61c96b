//! Bodies of parked events name persons: the erasure of a person deletes them, and no body is kept without a purpose.

use crate::{
    fixture::{Fixture, SOON, on_user_created, user},
    operators::AMINA,
};
use events::{
    Event as _, EventId, UserId,
    auth::{UserCreated, UserDeleted},
    topology::PROFILE,
};
use messaging::{
    Consumer, Failure, Handlers, Housekeeping, Limits, Message, Outbox, Transaction, admin,
};
use serde_json::json;
use std::time::Duration;
use test_support::{eventually, vhost::BasicProperties};
use tokio_util::sync::CancellationToken;

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

#[tokio::test]
async fn a_foreign_event_without_a_handler_keeps_its_id_when_it_is_replayed_after_an_upgrade() {
    let fixture = Fixture::new().await;
    let older = CancellationToken::new();
    let outbox = fixture.outbox_without_relay();
    let consumer = Consumer::new(fixture.broker(), outbox, &PROFILE.queue, Handlers::new());
    let task = tokio::spawn(consumer.run(older.clone()));
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let event = user("new kind");
    let body =
        json!({"payload": event, "_meta": {"timestamp": "2026-01-05T10:00:00Z"}}).to_string();
    let properties = BasicProperties::default()
        .with_message_id("7".into())
        .with_app_id("old".into());
    let publish = async || {
        let properties = properties.clone();
        let publish = fixture
            .vhost
            .publish_with(UserCreated::KEY, &body, properties);
        publish.await;
    };
    publish().await;
    fixture
        .parked("kind = 'unknown_key' and app_id = 'old'")
        .await;
    older.cancel();
    task.await.unwrap();

    fixture.start_consumer().await;
    let parked = fixture
        .database
        .value("select event_id::text from parked_event")
        .await;
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    admin::replay(&mut connection, &[parked.parse().unwrap()], AMINA)
        .await
        .unwrap();
    fixture.has_effect(&event).await;
    publish().await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 2, "the copy has no effect");
}

async fn on_user_deleted(
    tx: &mut Transaction,
    events: &[Message<UserDeleted>],
) -> Result<(), Failure> {
    for event in events {
        let UserDeleted { user_id, email } = &event.payload;
        tx.erase(&[user_id.as_uuid()], std::slice::from_ref(email))
            .await?;
    }
    Ok(())
}

/// As many events as a publisher makes that sends a bad one again and again. They are blanked in parts, because an event
/// is handled within a second.
#[tokio::test]
async fn an_erasure_of_many_large_bodies_ends_in_time_and_the_purge_blanks_the_rest() {
    const COUNT: i64 = 1_500;

    let fixture = Fixture::new().await;
    let user_id = UserId::new();
    let database = &fixture.database;
    database
        .park_large_bodies(user_id.as_uuid(), COUNT as u32)
        .await;
    let outbox = Outbox::without_relay(fixture.pool().await, "profile-service");
    let handlers = Handlers::new().on(on_user_created).on(on_user_deleted);
    let consumer = Consumer::new(fixture.broker(), outbox, &PROFILE.queue, handlers);
    fixture.run(consumer).await;
    let meta =
        json!({"event_id": EventId::new(), "source": "auth-service", "aggregate_version": 2});
    let payload = json!({"user_id": user_id, "email": "someone@example.com"});
    let deletion = json!({"payload": payload, "_meta": meta}).to_string();
    fixture.vhost.publish(UserDeleted::KEY, deletion).await;
    eventually(SOON, "the deletion is handled", async || {
        database.count("inbox").await == 1
    })
    .await;
    let erased = "parked_event where kind = 'erased' and body = ''";
    assert_eq!(database.count(erased).await, 1_000);

    let housekeeping = Housekeeping::new(&database.pool);
    tokio::spawn(housekeeping.run(fixture.stop.clone()));
    let rest = Duration::from_secs(30);
    eventually(rest, "the rest is blanked", async || {
        database.count(erased).await == COUNT
    })
    .await;
    let others = "parked_event where kind = 'rejected' and length(body) > 60000";
    assert_eq!(database.count(others).await, COUNT);
    assert_eq!(database.count("parked_event").await, COUNT * 2);
    fixture.proof_of_life().await;
}

/// Makes each transaction that parks an event wait, just before its end, until the returned one has ended.
async fn hold_parking(fixture: &Fixture) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut holder = fixture.database.pool.begin().await.unwrap();
    sqlx::raw_sql("select pg_advisory_xact_lock(26)")
        .execute(&mut *holder)
        .await
        .unwrap();
    for statement in [
        "create function wait_for_the_test() returns trigger language plpgsql as $$
         begin perform pg_advisory_xact_lock_shared(26); return null; end $$",
        "create constraint trigger wait after insert on parked_event initially deferred
         for each row execute function wait_for_the_test()",
    ] {
        fixture.database.run(statement).await;
    }
    holder
}

/// A message about a user that cannot be read.
fn unreadable(user_id: UserId) -> String {
    json!({"payload": {"user_id": user_id, "role": "king"}, "_meta": {}}).to_string()
}

/// Neither transaction sees the other one: what is left is found by the purge.
#[tokio::test]
async fn a_message_that_is_parked_while_its_user_is_erased_loses_its_body_in_either_order() {
    let fixture = Fixture::new().await;
    let pool = fixture.pool().await;
    let outbox = Outbox::without_relay(pool.clone(), "profile-service");
    fixture
        .start_limited_consumer(pool, Limits::default())
        .await;
    let bodies = "parked_event where body <> ''";

    // The erasure commits last.
    let erased_last = UserId::new();
    let mut tx = outbox.begin().await.unwrap();
    tx.erase(&[erased_last.as_uuid()], &[]).await.unwrap();
    fixture
        .vhost
        .publish(UserCreated::KEY, unreadable(erased_last))
        .await;
    fixture.parked("state = 'dead' and body <> ''").await;
    tx.commit().await.unwrap();

    // The erasure commits first.
    let erased_first = UserId::new();
    let holder = hold_parking(&fixture).await;
    fixture
        .vhost
        .publish(UserCreated::KEY, unreadable(erased_first))
        .await;
    fixture.waits_for_a_lock("COMMIT").await;
    let mut tx = outbox.begin().await.unwrap();
    tx.erase(&[erased_first.as_uuid()], &[]).await.unwrap();
    tx.commit().await.unwrap();
    holder.rollback().await.unwrap();
    eventually(SOON, "both bodies are there", async || {
        fixture.database.count(bodies).await == 2
    })
    .await;

    let housekeeping = Housekeeping::new(&fixture.database.pool);
    tokio::spawn(housekeeping.run(fixture.stop.clone()));
    let erased = "parked_event where state = 'dead' and kind = 'erased' and body = ''";
    eventually(SOON, "both are blanked", async || {
        fixture.database.count(erased).await == 2
    })
    .await;
    assert_eq!(fixture.database.count("parked_person").await, 0);
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn the_body_of_a_dead_event_goes_after_ninety_days_and_its_row_after_a_year() {
    let fixture = Fixture::new().await;
    for (kind, died, body) in [
        ("rejected", "89 days", "kept"),
        ("rejected", "91 days", "blanked"),
        ("erased", "364 days", ""),
        ("erased", "367 days", ""),
        ("unknown_key", "6 days", "kept"),
        ("unknown_key", "8 days", "deleted"),
    ] {
        let row = format!(
            "insert into parked_event (event_id, state, queue, exchange, routing_key, body, admitted, kind, reason,
                                       first_at, last_at)
             select gen_random_uuid(), 'dead', 'q', 'e', '{died}', '{body}', true, '{kind}', 'someone@example.com', died, died
             from (select now() - interval '{died}' as died) as time"
        );
        fixture.database.run(&row).await;
    }
    // An event that waits is dead after a time of its own.
    let waiting = fixture.park(&user("waits")).await;
    let long_ago = "update parked_event set first_at = now() - interval '91 days', last_at = now() - interval '91 days'
                    where state = 'waiting'";
    fixture.database.run(long_ago).await;
    let housekeeping = Housekeeping::new(&fixture.database.pool);
    tokio::spawn(housekeeping.run(fixture.stop.clone()));
    let purged =
        "not exists (select from parked_event where routing_key in ('367 days', '8 days'))";
    eventually(SOON, "a round", async || fixture.database.is(purged).await).await;
    let rows =
        "select string_agg(concat_ws(' ', routing_key, kind, length(body), reason like '%@%'), ', '
                                  order by routing_key)
                from parked_event where state = 'dead'";
    assert_eq!(
        fixture.database.value(rows).await,
        "364 days erased 0 t, 6 days unknown_key 4 t, 89 days rejected 4 t, 91 days erased 0 f"
    );
    fixture
        .parked(&format!("event_id = '{waiting}' and body <> ''"))
        .await;
}
