//! Which event is at fault, and which is not: locks, slow events, events that end their process, corrected copies.

use crate::fixture::{Fixture, SOON, bare_envelope, user};
use events::{Event as _, EventId, auth::UserCreated};
use serde_json::json;
use std::time::Duration;
use test_support::eventually;

#[tokio::test]
async fn a_long_lock_parks_no_event_and_all_are_handled_when_it_ends() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let holder = fixture.lock("effect").await;
    for _ in 0..5 {
        fixture.send(&user("sound")).await;
    }
    let tried_again = "exists (
        select from pg_stat_activity holder join pg_stat_activity waiting using (datname)
        where datname = current_database() and holder.state = 'idle in transaction'
          and waiting.wait_event_type = 'Lock' and waiting.xact_start > holder.xact_start + interval '6 seconds')";
    let limit = Duration::from_secs(40);
    eventually(limit, "tries have failed and go on", async || {
        fixture.database.is(tried_again).await
    })
    .await;
    assert_eq!(fixture.database.count("parked_event").await, 0);
    holder.rollback().await.unwrap();
    eventually(SOON, "all are handled", async || {
        fixture.effects().await == 5
    })
    .await;
    assert_eq!(fixture.database.count("parked_event").await, 0);
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn an_event_that_is_always_slow_is_parked_once_another_one_passes() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    fixture.send(&user("slow")).await;
    fixture.proof_of_life().await;
    fixture
        .parked("state = 'waiting' and kind = 'slow' and due_at < now() + interval '6 seconds'")
        .await;
    assert_eq!(fixture.database.count("parked_event").await, 1);
}

#[tokio::test]
async fn a_parked_event_that_ends_its_process_at_each_try_is_dead_in_the_end() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    fixture.send(&user("needs the gate")).await;
    fixture.parked("state = 'waiting'").await;
    // A process that ends in the middle of a try leaves the claim, which has counted the try.
    fixture
        .database
        .run("update parked_event set attempts = 5, due_at = now()")
        .await;
    fixture.parked("state = 'dead' and kind = 'crashed'").await;
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn a_corrected_copy_of_an_unreadable_message_takes_its_place() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let (event, event_id) = (user("needs the gate"), EventId::new());
    let meta = json!({"event_id": event_id, "source": "auth-service", "aggregate_version": 1});
    let unreadable = json!({"payload": {"role": "king"}, "_meta": meta}).to_string();
    fixture.vhost.publish(UserCreated::KEY, unreadable).await;
    fixture
        .parked(&format!("event_id = '{event_id}' and state = 'dead'"))
        .await;
    fixture
        .vhost
        .publish(UserCreated::KEY, bare_envelope(&event, event_id))
        .await;
    fixture
        .parked(&format!("event_id = '{event_id}' and state = 'waiting'"))
        .await;
    fixture.send(&user("gate")).await;
    fixture.has_effect(&event).await;
}

#[tokio::test]
async fn released_events_are_handled_in_the_order_of_their_own_times() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let mut story = Vec::new();
    for minute in [30, 10, 20] {
        let event = user("needs the gate");
        let meta = json!({"event_id": EventId::new(), "source": "auth-service", "aggregate_version": 1,
                          "timestamp": format!("2026-01-01T10:{minute}:00Z")});
        let body = json!({"payload": event, "_meta": meta}).to_string();
        fixture.vhost.publish(UserCreated::KEY, body).await;
        story.push((minute, event.user_id.to_string()));
    }
    eventually(SOON, "all wait", async || {
        fixture.database.count("parked_event").await == 3
    })
    .await;
    fixture.send(&user("gate")).await;
    eventually(SOON, "all are handled", async || {
        fixture.effects().await == 4
    })
    .await;
    story.sort();
    let order: Vec<String> = story.into_iter().map(|(_, user_id)| user_id).collect();
    let query = "select string_agg(user_id::text, ' ' order by at) from effect where email = 'needs the gate'";
    assert_eq!(fixture.database.value(query).await, order.join(" "));
}
