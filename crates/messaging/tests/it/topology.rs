//! What stands on the broker in another way than it should stops only whom it concerns.

use crate::fixture::{Fixture, SOON, commit, compat_broker, user};
use events::{
    legacy::OLD_EXCHANGE,
    topology::{AUTH, COMM, PROFILE},
};
use lapin::{
    BasicProperties, ExchangeKind,
    options::{
        BasicPublishOptions, ExchangeDeclareOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};
use messaging::{Consumer, Handlers};
use test_support::eventually;

async fn delete(fixture: &Fixture, queue: &str) {
    let channel = fixture.vhost.channel().await;
    let options = QueueDeleteOptions::default();
    channel.queue_delete(queue.into(), options).await.unwrap();
}

#[tokio::test]
async fn a_missing_queue_of_another_service_or_a_missing_crashed_queue_stops_no_process() {
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

#[tokio::test]
async fn a_queue_of_another_system_stops_its_own_consumer_only_and_is_named_with_the_command() {
    let fixture = Fixture::new().await;
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let channel = fixture.vhost.channel().await;
    let classic = channel.queue_declare(COMM.queue.name.into(), durable, FieldTable::default());
    classic.await.unwrap();

    fixture.start_consumer().await;
    let (outbox, _relay) = fixture.start_relay();
    let event = user("beside it");
    commit(&outbox, event.clone()).await;
    fixture.has_effect(&event).await;

    let outbox = fixture.outbox_without_relay();
    let consumer = Consumer::new(fixture.broker(), outbox, &COMM.queue, Handlers::new());
    let status = consumer.status();
    tokio::spawn(consumer.run(fixture.stop.clone()));
    eventually(SOON, "the status names the command", async || {
        let reason = status.check().err().unwrap_or_default();
        reason.contains("try: ./medtrack topology replace comm.events")
    })
    .await;
    delete(&fixture, COMM.queue.name).await;
    eventually(SOON, "the consumer goes on by itself", async || {
        status.check().is_ok()
    })
    .await;
}

/// The number of bindings to the exchange of the replaced services.
async fn old_bindings(fixture: &Fixture) -> usize {
    let bindings = fixture.vhost.inspect("bindings").await;
    let bindings = bindings.as_array().unwrap().iter();
    bindings
        .filter(|binding| binding["source"] == OLD_EXCHANGE)
        .count()
}

#[tokio::test]
async fn bindings_to_the_old_exchange_go_when_it_is_not_configured_any_more() {
    let fixture = Fixture::new().await;
    let broker = compat_broker(&fixture.vhost.amqp_url, OLD_EXCHANGE);
    let pool = &fixture.database.pool;
    let consumer = fixture.start_consumer_at(pool.clone(), broker).await;
    assert!(old_bindings(&fixture).await > 0);
    consumer.abort();
    fixture.start_consumer().await;
    assert_eq!(old_bindings(&fixture).await, 0);
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn an_old_exchange_of_another_type_is_read_as_it_is_and_stops_no_process() {
    let fixture = Fixture::new().await;
    let channel = fixture.vhost.channel().await;
    let direct = channel.exchange_declare(
        OLD_EXCHANGE.into(),
        ExchangeKind::Direct,
        ExchangeDeclareOptions::default(),
        FieldTable::default(),
    );
    direct.await.unwrap();
    let broker = compat_broker(&fixture.vhost.amqp_url, OLD_EXCHANGE);
    let (outbox, _relay) = fixture.start_relay_at(broker.clone());
    fixture
        .start_consumer_at(fixture.database.pool.clone(), broker)
        .await;
    let ours = user("ours");
    commit(&outbox, ours.clone()).await;
    fixture.has_effect(&ours).await;

    let theirs = user("theirs");
    let body = serde_json::json!({"event_type": "user.created", "payload": theirs, "service": "auth-service",
                                  "timestamp": "2025-12-18T08:00:00", "version": "1.0"});
    channel
        .basic_publish(
            OLD_EXCHANGE.into(),
            "user.created".into(),
            BasicPublishOptions::default(),
            body.to_string().as_bytes(),
            BasicProperties::default(),
        )
        .await
        .unwrap();
    fixture.has_effect(&theirs).await;
}
