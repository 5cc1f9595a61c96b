//! Guards what an event costs, in figures that no load of the machine changes much.

use crate::alone;
use chrono::Utc;
use events::{Event as _, EventId, Meta, UserId, auth::UserCreated, envelope, topology::PROFILE};
use futures_util::future::join_all;
use std::time::Duration;
use test_support::{Costs, Stack, Unit, eventually, stack::Links};
use uuid::Uuid;

const EVENTS: usize = 2_000;
/// A consumer takes what has arrived, so the size of its batches varies; without batches an event costs 25 statements.
const MOST_STATEMENTS: f64 = 0.8;
/// Both hops together, with all rows and indexes. The search among students takes about 1,000 of them, and
/// the inbox with its position and the arguments of a text about 700.
const MOST_WAL_BYTES: f64 = 6_700.0;

#[tokio::test]
async fn an_event_of_a_backlog_costs_few_statements_and_little_wal() {
    let _alone = alone().await;
    let mut stack = Stack::prepare(Links::Direct).await;
    // Declares the queues.
    stack.start_units(&Unit::CONSUMERS).await;
    for unit in Unit::CONSUMERS {
        stack.stop(unit, Duration::from_secs(15)).await;
    }
    let bodies: Vec<String> = (0..EVENTS).map(|_| new_user()).collect();
    for chunk in bodies.chunks(200) {
        join_all(
            chunk
                .iter()
                .map(|body| stack.vhost.publish(UserCreated::KEY, body)),
        )
        .await;
    }
    let depth = stack.vhost.depth(PROFILE.queue.name).await;
    assert_eq!(depth, Some(EVENTS as u32));

    let before = costs(&stack).await;
    stack.spawn(&Unit::CONSUMERS);
    eventually(
        Duration::from_secs(60),
        "all are welcomed and recorded",
        async || {
            let done = async |database: &test_support::Database, table: &str| {
                database.count(table).await == EVENTS as i64
            };
            done(&stack.comm, "communications_notification").await
                && done(&stack.auth, "inbox").await
                && done(&stack.profile, "outbox where published_at is not null").await
        },
    )
    .await;
    let used = costs(&stack).await - before;
    let each = |sum: f64| sum / EVENTS as f64;
    let (statements, wal_bytes) = (each(used.statements), each(used.wal_bytes));
    assert!(
        statements <= MOST_STATEMENTS && wal_bytes <= MOST_WAL_BYTES,
        "an event costs {statements:.2} statements and {wal_bytes:.0} bytes of WAL"
    );
}

async fn costs(stack: &Stack) -> Costs {
    let (auth, profile, comm) = (&stack.auth, &stack.profile, &stack.comm);
    auth.costs().await + profile.costs().await + comm.costs().await
}

fn new_user() -> String {
    let user_id = UserId::new();
    let event = UserCreated {
        user_id,
        email: format!("{user_id}@example.com"),
        ..UserCreated::sample()
    };
    let meta = Meta {
        event_id: EventId::new(),
        timestamp: Utc::now(),
        routing_key: UserCreated::KEY.into(),
        source: "auth-service".into(),
        correlation_id: Uuid::now_v7(),
        causation_id: None,
        aggregate_id: Some(user_id.as_uuid()),
        aggregate_version: Some(1),
        schema_version: UserCreated::SCHEMA_VERSION,
        traceparent: None,
    };
    envelope::encode(&meta, &event).expect("the sample is small")
}
