//! Many events at once: parked ones that wait in vain, and a queue that holds several kinds.

use crate::fixture::{Fixture, SOON, bare_envelope, user};
use events::{Event as _, EventId, auth::UserCreated, topology::PROFILE};
use messaging::Limits;
use test_support::eventually;

/// Parks events that wait in vain, for so long that their next try is overdue by as much.
async fn wait_in_vain(fixture: &Fixture, count: u32, time: &str) {
    let (event, event_id) = (user("waits in vain"), EventId::new());
    let body = bare_envelope(&event, event_id);
    let (user_id, key, queue) = (event.user_id, UserCreated::KEY, PROFILE.queue.name);
    let insert = format!(
        "insert into parked_event (event_id, state, queue, exchange, routing_key, body, kind, reason, waits_for,
                                   waiting_since, due_at, admitted)
         select id, 'waiting', '{queue}', 'events.topic', '{key}',
                convert_to(replace(replace('{body}', '{event_id}', id::text), '{user_id}', user_id::text), 'UTF8'),
                'waits', '', 'user:' || user_id, now() - 2 * interval '{time}', now() - interval '{time}', true
         from (select gen_random_uuid() as id, gen_random_uuid() as user_id from generate_series(1, {count})) as events"
    );
    fixture.database.run(&insert).await;
}

/// A publisher that knows users whom no other service knows must not hold up the others.
#[tokio::test]
async fn events_that_wait_in_vain_hold_up_neither_what_is_released_nor_a_second_try() {
    let fixture = Fixture::new().await;
    wait_in_vain(&fixture, 20_000, "2 hours").await;
    wait_in_vain(&fixture, 3, "15 days").await;
    let pool = fixture.pool().await;
    fixture
        .start_limited_consumer(pool, Limits::default())
        .await;
    let (flaky, waiting) = (user("flaky"), user("needs the gate"));
    // Alone, so that it has no second try in its batch.
    fixture.send(&flaky).await;
    fixture.parked("kind = 'database' and attempts = 1").await;
    // They may come in one batch, and then the gate misses it.
    fixture.send(&waiting).await;
    fixture.send(&user("gate")).await;
    fixture.has_effect(&waiting).await;
    fixture.has_effect(&flaky).await;
    fixture
        .parked("state = 'waiting' and due_at > now() + interval '45 minutes'")
        .await;
    let dead = "parked_event where state = 'dead' and kind = 'waits'";
    eventually(SOON, "the oldest are dead", async || {
        fixture.database.count(dead).await == 3
    })
    .await;
    let overdue = "exists (select from parked_event where due_at < now())";
    assert!(fixture.database.is(overdue).await, "the backlog has ended");
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 4);
    assert_eq!(fixture.database.count("parked_event").await, 20_003);
}
