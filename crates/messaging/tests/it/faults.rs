//! The consumer while the database, the broker or the process fails.

use crate::fixture::{Fixture, SOON, broker, user};
use events::topology::PROFILE;
use futures_util::future::join_all;
use lapin::{
    options::{BasicGetOptions, BasicNackOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};
use serde_json::Value;
use std::time::Duration;
use test_support::{BrokerProxy, Mode, eventually, servers, wire};

#[tokio::test]
async fn events_are_held_while_the_database_does_not_answer_and_none_is_parked() {
    let fixture = Fixture::new().await;
    let (pool, to_database) = fixture.pool_through_proxy().await;
    fixture.start_consumer_with(pool).await;
    fixture.proof_of_life().await;
    to_database.set(Mode::Refuse);
    let held = user("held");
    fixture.send(&held).await;
    to_database.set(Mode::Pass);
    fixture.has_effect(&held).await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.database.count("parked_event").await, 0);
    assert_eq!(fixture.effects().await, 3);
}

#[tokio::test]
async fn after_a_cut_connection_what_is_published_then_is_received() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    for _ in 0..3 {
        fixture.to_broker.cut();
        fixture.proof_of_life().await;
    }
    assert_eq!(fixture.effects().await, 3);
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let channel = fixture.vhost.channel().await;
    channel
        .queue_delete(PROFILE.queue.name.into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    eventually(SOON, "the queue is back", async || {
        fixture.vhost.depth(PROFILE.queue.name).await.is_some()
    })
    .await;
    eventually(SOON, "an event is heard again", async || {
        fixture.send(&user("again")).await;
        fixture.effects().await > 0
    })
    .await;
}

#[tokio::test]
async fn what_crashed_its_consumer_again_and_again_is_parked_as_dead() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let event_id = fixture.send(&user("deadly")).await;
    let channel = fixture.vhost.channel().await;
    eventually(SOON, "the broker sets it aside", async || {
        if let Some(message) = channel
            .basic_get(PROFILE.queue.name.into(), BasicGetOptions::default())
            .await
            .unwrap()
        {
            message
                .nack(BasicNackOptions {
                    requeue: true,
                    multiple: false,
                })
                .await
                .unwrap();
        }
        fixture.vhost.depth(PROFILE.queue.crashed).await == Some(1)
    })
    .await;
    fixture.start_consumer().await;
    let dead = format!(
        "event_id = '{event_id}' and state = 'dead' and kind = 'crashed' and routing_key = 'auth.user.created'
         and exchange = 'events.topic'"
    );
    fixture.parked(&dead).await;
    eventually(SOON, "it is moved", async || {
        fixture.vhost.depth(PROFILE.queue.crashed).await == Some(0)
    })
    .await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 1);
}

#[tokio::test]
async fn a_crashed_message_that_the_client_library_cannot_read_is_parked_and_keeps_no_other_back() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let url = &fixture.vhost.amqp_url;
    let body = b"of the unreadable one";
    wire::publish_with_header(url, "auth.user.created", b"\xff\xfe", body).await;
    wire::publish(url, b"auth.user.\xff\xfe", b"of the one behind it").await;
    fixture.start_consumer().await;
    fixture
        .parked(
            "state = 'dead' and kind = 'crashed' and body = 'of the unreadable one'
             and routing_key = 'auth.user.created' and exchange = 'events.topic'",
        )
        .await;
    fixture
        .parked("state = 'dead' and kind = 'crashed' and body = 'of the one behind it'")
        .await;
    eventually(SOON, "nothing is left there", async || {
        fixture.vhost.depth(PROFILE.queue.crashed).await == Some(0)
    })
    .await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 1);
}

/// How many consumers the broker counts on the queue.
async fn consumers(fixture: &Fixture) -> u32 {
    let options = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let channel = fixture.vhost.channel().await;
    let queue = channel.queue_declare(PROFILE.queue.name.into(), options, FieldTable::default());
    queue.await.unwrap().consumer_count()
}

#[tokio::test]
async fn a_consumer_that_the_broker_has_forgotten_subscribes_again_though_another_one_is_there() {
    let fixture = Fixture::new().await;
    let replica = fixture.start_consumer().await;
    let url = &fixture.vhost.amqp_url;
    let proxy = BrokerProxy::to(servers::address_of(url), &Value::Null).await;
    let through = broker(url, proxy.address);
    fixture
        .start_consumer_at(fixture.database.pool.clone(), through)
        .await;
    let count = async |what: &str, wanted: u32| {
        eventually(SOON, what, async || consumers(&fixture).await == wanted).await;
    };
    count("both are subscribed", 2).await;
    let before = proxy.seen().subscriptions;
    proxy.cancel_subscriptions();
    count("one of them has no subscription", 1).await;
    eventually(Duration::from_secs(20), "it subscribes again", async || {
        proxy.seen().subscriptions > before
    })
    .await;
    assert_eq!(proxy.seen().connections, 1, "over the same connection");
    replica.abort();
    count("the other one is gone", 1).await;
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn a_consumer_that_stops_loses_no_message() {
    let fixture = Fixture::new().await;
    let consumer = fixture.start_consumer().await;
    for _ in 0..200 {
        fixture.send(&user("many")).await;
    }
    fixture.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), consumer)
        .await
        .expect("the consumer ends in time")
        .unwrap();
    eventually(
        SOON,
        "what was not handled is back in the queue",
        async || {
            let depth = fixture
                .vhost
                .depth(PROFILE.queue.name)
                .await
                .unwrap_or_default();
            i64::from(depth) + fixture.effects().await >= 200
        },
    )
    .await;
}

/// An event that may have ended its consumer is tried beside the queue, and not in it.
#[tokio::test]
async fn an_event_that_was_returned_three_times_is_set_aside_with_two_tries_left() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let (sound, deadly) = (user("sound"), user("panic"));
    fixture.send(&sound).await;
    let deadly = fixture.send(&deadly).await;
    let channel = fixture.vhost.channel().await;
    for _ in 0..3 {
        let mut last = None;
        for _ in 0..2 {
            let get = BasicGetOptions::default();
            let message = channel.basic_get(PROFILE.queue.name.into(), get).await;
            last = message.unwrap();
        }
        let all = BasicNackOptions {
            requeue: true,
            multiple: true,
        };
        last.expect("two were sent").nack(all).await.unwrap();
    }
    fixture.start_consumer().await;
    fixture.proof_of_life().await;
    fixture.has_effect(&sound).await;
    // Had it been handled when it was delivered, this would be its first try or its second one.
    let row = format!("event_id = '{deadly}' and kind = 'panic'");
    fixture
        .parked(&format!("{row} and state = 'waiting' and attempts = 4"))
        .await;
    let due = format!("update parked_event set due_at = now() where event_id = '{deadly}'");
    fixture.database.run(&due).await;
    fixture
        .parked(&format!("{row} and state = 'dead' and attempts = 5"))
        .await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 3);
    assert_eq!(fixture.database.count("parked_event").await, 1);
    assert_eq!(fixture.vhost.depth(PROFILE.queue.crashed).await, Some(0));
}

/// The consumer's checks come before the deliveries.
#[tokio::test]
async fn a_crashed_message_is_parked_while_events_arrive_without_a_break() {
    const BACKLOG: i64 = 1_500;

    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let event_id = fixture.send(&user("deadly")).await;
    let channel = fixture.vhost.channel().await;
    let get = channel.basic_get(PROFILE.queue.name.into(), BasicGetOptions::default());
    let deadly = get.await.unwrap().unwrap();
    let backlog: Vec<_> = (0..BACKLOG).map(|_| user("unhurried")).collect();
    for events in backlog.chunks(100) {
        join_all(events.iter().map(|event| fixture.send(event))).await;
    }
    fixture.start_consumer().await;
    eventually(SOON, "the backlog is at work", async || {
        fixture.effects().await > 0
    })
    .await;
    let set_aside = BasicNackOptions::default();
    deadly.nack(set_aside).await.unwrap();
    let dead = format!("event_id = '{event_id}' and state = 'dead' and kind = 'crashed'");
    fixture.parked(&dead).await;
    let handled = fixture.effects().await;
    assert!(handled < BACKLOG, "the backlog has ended before");
    eventually(SOON * 3, "all are handled", async || {
        fixture.effects().await == BACKLOG
    })
    .await;
    assert_eq!(fixture.database.count("parked_event").await, 1);
    fixture.proof_of_life().await;
}
