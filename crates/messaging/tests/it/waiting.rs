//! Events that wait for something that has not arrived.

use crate::fixture::{Fixture, SOON, bare_envelope, gate_key, user};
use events::{Event as _, EventId, auth::UserCreated};
use test_support::eventually;

#[tokio::test]
async fn an_event_waits_for_what_it_needs_and_goes_on_in_the_same_moment() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let (waiting, gate) = (user("needs the gate"), user("gate"));
    fixture.send(&waiting).await;
    fixture
        .parked(&format!(
            "state = 'waiting' and waits_for = '{}' and due_at > now() + interval '20 seconds'",
            gate_key()
        ))
        .await;
    fixture.send(&gate).await;
    fixture.has_effect(&waiting).await;
    assert_eq!(fixture.effects().await, 2);
    assert_eq!(fixture.database.count("parked_event").await, 0);
}

#[tokio::test]
async fn an_event_may_wait_for_another_of_its_own_batch() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    fixture.send(&user("sound")).await;
    for _ in 0..20 {
        fixture.send(&user("needs the gate")).await;
    }
    fixture.send(&user("gate")).await;
    fixture.start_consumer().await;
    eventually(SOON, "all are handled", async || {
        fixture.effects().await == 22
    })
    .await;
    assert_eq!(fixture.database.count("parked_event").await, 0);
}

#[tokio::test]
async fn a_copy_of_a_waiting_event_has_no_effect() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let body = bare_envelope(&user("needs the gate"), EventId::new());
    fixture.vhost.publish(UserCreated::KEY, &body).await;
    fixture
        .parked(&format!("waits_for = '{}'", gate_key()))
        .await;
    fixture.vhost.publish(UserCreated::KEY, &body).await;
    fixture.vhost.publish(UserCreated::KEY, &body).await;
    fixture.send(&user("gate")).await;
    eventually(SOON, "it went on", async || fixture.effects().await == 2).await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 3);
}
