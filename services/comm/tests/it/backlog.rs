//! What a backlog of events costs.

use events::{StudentId, UserId};
use serde_json::json;
use std::time::Duration;
use test_support::{Stack, Unit, eventually, stack::Links};
use uuid::Uuid;

const EVENTS: usize = 1_000;
/// One by one, an event of two kinds in turn costs more than four statements.
const MOST_STATEMENTS: f64 = 0.5;

#[tokio::test]
async fn students_and_encadrants_in_turn_are_welcomed_in_few_statements() {
    let mut stack = Stack::prepare(Links::Direct).await;
    // Declares the queues.
    stack.start_units(&[Unit::CommConsumer]).await;
    stack
        .stop(Unit::CommConsumer, Duration::from_secs(15))
        .await;
    for number in 0..EVENTS {
        let (key, id) = match number % 2 {
            0 => ("student.created", "student_id"),
            _ => ("encadrant.created", "encadrant_id"),
        };
        let payload = json!({"user_id": UserId::new(), id: StudentId::new(), "first_name": "John", "last_name": "Doe"});
        let meta = json!({"event_id": Uuid::now_v7(), "source": "profile-service", "aggregate_version": 1});
        let body = json!({"payload": payload, "_meta": meta}).to_string();
        stack.vhost.publish(key, body).await;
    }
    let before = stack.comm.costs().await;
    stack.spawn(&[Unit::CommConsumer]);
    eventually(Duration::from_secs(30), "all are welcomed", async || {
        stack.comm.count("communications_notification").await == EVENTS as i64
    })
    .await;
    let used = stack.comm.costs().await - before;
    let each = used.statements / EVENTS as f64;
    assert!(
        each <= MOST_STATEMENTS,
        "an event costs {each:.2} statements"
    );
    assert_eq!(stack.comm.count("parked_event").await, 0);
}
