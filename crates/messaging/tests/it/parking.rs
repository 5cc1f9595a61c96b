//! Events that are not handled: each is parked with a reason, and stops no other.

use crate::{
    fixture::{Fixture, SOON, bare_envelope, user},
    operators::AMINA,
};
use events::{Event as _, EventId, auth::UserCreated, topology::PROFILE};
use messaging::{
    Limits,
    admin::{self, ParkedFilter},
};
use serde_json::json;
use test_support::eventually;
use uuid::Uuid;

#[tokio::test]
async fn a_message_that_can_never_be_handled_is_dead_with_a_reason_and_stops_nothing() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let poison: [&[u8]; 6] = [
        b"",
        b"\xff\xfe",
        b"nonsense",
        b"42",
        br#"{"_meta": {}}"#,
        br#"{"payload": {}, "_meta": {}}"#,
    ];
    for body in poison {
        fixture.vhost.publish(UserCreated::KEY, body).await;
        fixture.vhost.publish(UserCreated::KEY, body).await;
    }
    fixture.proof_of_life().await;
    let dead = admin::parked(
        &mut fixture.database.pool.acquire().await.unwrap(),
        &ParkedFilter::default(),
        100,
    )
    .await
    .unwrap();
    assert_eq!(dead.len(), poison.len(), "{dead:#?}");
    assert!(
        dead.iter().all(|event| event.state == "dead"
            && !event.reason.is_empty()
            && event.deliveries == 2)
    );
    assert_eq!(fixture.effects().await, 1);
}

#[tokio::test]
async fn an_unreadable_message_cannot_keep_a_sound_one_with_its_id_away() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let (event, event_id) = (user("sound"), EventId::new());
    let forged = format!(r#"{{"payload": {{}}, "_meta": {{"event_id": "{event_id}"}}}}"#);
    fixture.vhost.publish(UserCreated::KEY, forged).await;
    fixture
        .vhost
        .publish(UserCreated::KEY, bare_envelope(&event, event_id))
        .await;
    fixture.has_effect(&event).await;
}

#[tokio::test]
async fn only_the_failing_events_of_a_batch_are_parked() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    for i in 0..60 {
        fixture
            .send(&user(match i {
                20 => "reject",
                40 => "panic",
                _ => "sound",
            }))
            .await;
    }
    fixture.start_consumer().await;
    eventually(SOON, "the others are handled", async || {
        fixture.effects().await == 58
    })
    .await;
    fixture
        .parked("state = 'dead' and kind = 'rejected' and reason like '%the test says so%'")
        .await;
    fixture
        .parked("state = 'waiting' and kind = 'panic' and attempts >= 1")
        .await;
    assert_eq!(fixture.database.count("parked_event").await, 2);
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn a_transient_failure_is_tried_again() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let event = user("flaky");
    fixture.send(&event).await;
    fixture.has_effect(&event).await;
    assert_eq!(fixture.database.count("parked_event").await, 0);
}

#[tokio::test]
async fn a_user_who_is_erased_is_erased_from_parked_events() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let (leaves, stays) = (user("reject"), user("reject"));
    let (removed, kept) = (fixture.send(&leaves).await, fixture.send(&stays).await);
    eventually(SOON, "both are dead", async || {
        fixture.database.count("parked_event").await == 2
    })
    .await;
    let mut tx = fixture.outbox_without_relay().begin().await.unwrap();
    tx.erase(&[leaves.user_id.as_uuid()], &[]).await.unwrap();
    tx.commit().await.unwrap();
    fixture
        .parked(&format!(
            "event_id = '{removed}' and body = '' and kind = 'erased'"
        ))
        .await;
    fixture
        .parked(&format!(
            "event_id = '{kept}' and body <> '' and kind = 'rejected'"
        ))
        .await;
}

#[tokio::test]
async fn a_dead_event_can_be_replayed_and_keeps_its_id() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let event_id = fixture.send(&user("reject")).await;
    fixture.parked("state = 'dead'").await;
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    let replayed = admin::replay(&mut connection, &[event_id.as_uuid()], AMINA)
        .await
        .unwrap();
    assert_eq!(replayed, [event_id.as_uuid()]);
    let again = format!("state = 'dead' and attempts = 1 and event_id = '{event_id}'");
    fixture.parked(&again).await;
    assert!(
        admin::replay(&mut connection, &[Uuid::now_v7()], AMINA)
            .await
            .unwrap()
            .is_empty()
    );
}

/// RabbitMQ takes messages of up to 128 MiB.
#[tokio::test]
async fn a_message_of_many_mebibytes_is_parked_in_part_and_does_not_hold_up_its_queue() {
    const SIZE: usize = 16 << 20;

    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    fixture
        .vhost
        .publish(UserCreated::KEY, "someone@example.com ".repeat(SIZE / 20))
        .await;
    fixture.proof_of_life().await;
    fixture
        .parked("state = 'dead' and length(body) = 65536 and reason like '%the first 65536 of 16777200 bytes are kept%'")
        .await;
    assert_eq!(fixture.effects().await, 1);
    assert_eq!(fixture.database.count("parked_event").await, 1);
}

#[tokio::test]
async fn a_message_whose_body_cannot_be_stored_is_parked_without_it() {
    let fixture = Fixture::new().await;
    fixture
        .database
        .run("alter table parked_event add check (position('unstorable'::bytea in body) = 0)")
        .await;
    fixture.start_consumer().await;
    let (unreadable, rejected) = ("unstorable", user("reject"));
    fixture.vhost.publish(UserCreated::KEY, unreadable).await;
    let rejected = UserCreated {
        first_name: "unstorable".into(),
        ..rejected
    };
    fixture.send(&rejected).await;
    fixture.proof_of_life().await;
    for kind in ["not_json", "rejected"] {
        fixture
            .parked(&format!("state = 'dead' and kind = '{kind}' and body = '' and reason like '%cannot be stored%'"))
            .await;
    }
    assert_eq!(fixture.effects().await, 1);
    assert_eq!(fixture.database.count("parked_event").await, 2);
    let left = fixture.vhost.depth(PROFILE.queue.name).await;
    assert_eq!(left, Some(0));
}

/// It stays at the broker, beside the queue, until the database takes it.
#[tokio::test]
async fn a_message_that_cannot_be_parked_at_all_does_not_hold_up_its_queue() {
    let fixture = Fixture::new().await;
    let database = &fixture.database;
    database
        .run("alter table parked_event add constraint never check (false)")
        .await;
    fixture.start_consumer().await;
    fixture.vhost.publish(UserCreated::KEY, "unreadable").await;
    for email in ["reject", "needs the gate", "sound"] {
        fixture.send(&user(email)).await;
    }
    fixture.proof_of_life().await;
    eventually(SOON, "three are set aside", async || {
        fixture.vhost.depth(PROFILE.queue.crashed).await == Some(3)
    })
    .await;
    assert_eq!(fixture.effects().await, 2);

    database
        .run("alter table parked_event drop constraint never")
        .await;
    fixture.start_consumer().await;
    let dead = "parked_event where state = 'dead' and kind = 'crashed' and body <> ''";
    eventually(SOON, "they are parked", async || {
        database.count(dead).await == 3
    })
    .await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 3);
    assert_eq!(fixture.vhost.depth(PROFILE.queue.name).await, Some(0));
}

/// PostgreSQL stores no NUL in a text.
#[tokio::test]
async fn a_publisher_with_an_unstorable_name_does_not_hold_up_the_queue() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let meta =
        json!({"event_id": EventId::new(), "source": "core\0service", "aggregate_version": 1});
    let unknown = json!({"payload": {}, "_meta": meta}).to_string();
    fixture.vhost.publish("auth.user.promoted", unknown).await;
    for email in ["reject", "needs the gate"] {
        let meta =
            json!({"event_id": EventId::new(), "source": "core\0service", "aggregate_version": 1});
        let body = json!({"payload": user(email), "_meta": meta}).to_string();
        fixture.vhost.publish(UserCreated::KEY, body).await;
    }
    fixture.proof_of_life().await;
    let name = "source = 'core\u{fffd}service' and body <> ''";
    for kind in ["unknown_key", "rejected", "waits"] {
        fixture.parked(&format!("kind = '{kind}' and {name}")).await;
    }
    assert_eq!(fixture.effects().await, 1);
}

/// Two consumers have copies of one event. The first is in the middle of it while the second gives up its own try.
#[tokio::test]
async fn an_event_that_another_process_handles_meanwhile_is_not_parked() {
    let fixture = Fixture::new().await;
    let pool = fixture.pool().await;
    fixture
        .start_limited_consumer(pool, Limits::default())
        .await;
    let (event, event_id) = (user("shared"), EventId::new());
    let mut other = fixture.database.pool.begin().await.unwrap();
    let handled = format!(
        "insert into inbox (event_id, routing_key) values ('{event_id}', '{}');
         insert into effect (event_id, user_id, email) values ('{event_id}', '{}', 'shared')",
        UserCreated::KEY,
        event.user_id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(handled))
        .execute(&mut *other)
        .await
        .unwrap();
    fixture
        .vhost
        .publish(UserCreated::KEY, bare_envelope(&event, event_id))
        .await;
    fixture.waits_for_a_lock("insert into inbox").await;
    // Once another event has passed, this one has one more try of a second, and is parked.
    fixture.proof_of_life().await;
    let parks = "exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                           and query like 'insert into inbox%' and query_start < now() - interval '1.3 seconds')";
    eventually(SOON, "it is about to be parked", async || {
        fixture.database.is(parks).await
    })
    .await;
    other.commit().await.unwrap();
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 3, "none is lost, none is doubled");
    assert_eq!(fixture.database.count("parked_event").await, 0);
}
