//! Many events at once: parked ones that wait without end, and a queue that holds several kinds.
#![expect(
    clippy::disallowed_methods,
    reason = "a table of the test's own, unknown to the checked queries"
)]

use crate::fixture::{Fixture, SOON, bare_envelope, user};
use events::{
    Event, EventId,
    auth::{UserCreated, UserUpdated},
    topology::PROFILE,
};
use futures_util::future::join_all;
use messaging::{Consumer, Failure, Handlers, Limits, Message, Outbox, Transaction};
use serde_json::json;
use test_support::eventually;

/// Parks events that wait for something that never arrives, for so long that their next try is overdue by as much.
async fn wait_without_end(fixture: &Fixture, count: u32, time: &str) {
    let (event, event_id) = (user("waits without end"), EventId::new());
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
async fn events_that_wait_without_end_delay_neither_released_events_nor_a_second_try() {
    let fixture = Fixture::new().await;
    wait_without_end(&fixture, 20_000, "2 hours").await;
    wait_without_end(&fixture, 3, "15 days").await;
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

/// Records what happened to whom, in one statement.
async fn record<E: Event>(tx: &mut Transaction, events: &[Message<E>]) -> Result<(), Failure> {
    let ids: Vec<_> = events
        .iter()
        .map(|event| event.meta.event_id.as_uuid())
        .collect();
    let users: Vec<_> = events
        .iter()
        .map(|event| event.payload.aggregate_id())
        .collect();
    sqlx::query("insert into effect (event_id, user_id, email) select *, $3 from unnest($1::uuid[], $2::uuid[])")
        .bind(ids)
        .bind(users)
        .bind(E::KEY)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_backlog_of_two_kinds_in_turn_takes_few_statements_and_keeps_the_order_of_each_user() {
    const USERS: i64 = 250;

    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let mut bodies = Vec::new();
    for _ in 0..USERS {
        let created = user("in turn");
        let updated = UserUpdated {
            user_id: created.user_id,
            ..UserUpdated::sample()
        };
        for _ in 0..2 {
            bodies.push((UserCreated::KEY, envelope(&created)));
            bodies.push((UserUpdated::KEY, envelope(&updated)));
        }
    }
    for chunk in bodies.chunks(200) {
        join_all(
            chunk
                .iter()
                .map(|(key, body)| fixture.vhost.publish(key, body)),
        )
        .await;
    }
    fixture
        .database
        .run("create extension pg_stat_statements")
        .await;
    let outbox = Outbox::without_relay(fixture.pool().await, "profile-service");
    let handlers = Handlers::new()
        .on(record::<UserCreated>)
        .on(record::<UserUpdated>);
    let consumer = Consumer::new(fixture.broker(), outbox, &PROFILE.queue, handlers);
    fixture.run(consumer).await;
    eventually(SOON, "all are handled", async || {
        fixture.effects().await == USERS * 4
    })
    .await;

    let statements = async |what: &str| -> i64 {
        let calls = format!(
            "select coalesce(sum(calls), 0) from pg_stat_statements
             where query like '{what}%' and dbid = (select oid from pg_database where datname = current_database())"
        );
        fixture.database.value(&calls).await.parse().unwrap()
    };
    let (batches, runs) = (
        statements("insert into inbox").await,
        statements("insert into effect").await,
    );
    assert!(
        (1..=50).contains(&batches) && runs <= batches * 6,
        "{batches} batches, {runs} runs"
    );
    // The ids of events grow with the time of their making.
    let in_order = "select bool_and(event_id > before is not false)
                    from (select event_id, lag(event_id) over (partition by user_id order by at) as before from effect) e";
    assert_eq!(fixture.database.value(in_order).await, "true");
    assert_eq!(fixture.database.count("parked_event").await, 0);
}

fn envelope(payload: &impl Event) -> String {
    let meta =
        json!({"event_id": EventId::new(), "source": "auth-service", "aggregate_version": 1});
    json!({"payload": payload, "_meta": meta}).to_string()
}
