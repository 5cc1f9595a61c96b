//! What stands on the broker in another way than it should stops only whom it concerns.

use crate::fixture::{Fixture, SOON, commit, user};
use events::topology::{AUTH, COMM, PROFILE};
use lapin::options::QueueDeleteOptions;
use test_support::eventually;

async fn delete(fixture: &Fixture, queue: &str) {
    let channel = fixture.vhost.channel().await;
    let options = QueueDeleteOptions::default();
    channel.queue_delete(queue.into(), options).await.unwrap();
}

#[tokio::test]
async fn a_missing_queue_of_another_service_or_a_missing_crashed_queue_stops_nobody() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    for queue in [AUTH.queue.crashed, PROFILE.queue.crashed, COMM.queue.name] {
        delete(&fixture, queue).await;
    }
    let broker = fixture.production_broker().await;
    fixture
        .start_consumer_at(fixture.database.pool.clone(), broker.clone())
        .await;
    let (outbox, _relay) = fixture.start_relay_at(broker);
    for email in ["at the start", "after a reconnect"] {
        let event = user(email);
        commit(&outbox, event.clone()).await;
        fixture.has_effect(&event).await;
        fixture.to_broker.cut();
    }
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn a_crashed_queue_that_is_deleted_is_declared_again() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    delete(&fixture, PROFILE.queue.crashed).await;
    eventually(SOON, "it is back", async || {
        fixture.vhost.depth(PROFILE.queue.crashed).await == Some(0)
    })
    .await;
    fixture.proof_of_life().await;
}
