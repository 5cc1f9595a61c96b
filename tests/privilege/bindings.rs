//! With its production login a consumer keeps its queue bound.

use crate::production::Production;
use events::{
    Event as _, EventId,
    profile::StudentCreated,
    topology::{COMM, EXCHANGE},
};
use serde_json::json;
use std::time::Duration;
use test_support::{Database, Process, Vhost, eventually, port};

#[tokio::test]
async fn a_consumer_binds_its_queue_again_when_a_binding_is_removed() {
    let vhost = Vhost::new().await;
    let production = Production::load(&vhost).await;
    let database = Database::empty().await;
    let url = || ("DATABASE_URL", database.url.clone());
    Process::run("comm-service", &["migrate"], &[url()]).await;
    let internal = port::free();
    let mut consumer = Process::start(
        "comm-service",
        &["consume-events"],
        &[
            url(),
            ("AMQP_URL", production.logins[COMM.short].clone()),
            ("INTERNAL_ADDR", internal.to_string()),
        ],
    );
    consumer.ready(internal).await;
    let publish = async || {
        let body = json!({"payload": StudentCreated::sample(), "_meta": {"event_id": EventId::new(),
                          "timestamp": "2026-01-05T10:00:00Z"}});
        let publish = vhost.publish(StudentCreated::KEY, body.to_string());
        publish.await;
    };
    let soon = Duration::from_secs(15);
    publish().await;
    eventually(soon, "the queue is bound", async || {
        database.count("inbox").await == 1
    })
    .await;

    let channel = vhost.channel().await;
    let unbind = channel.queue_unbind(
        COMM.queue.name.into(),
        EXCHANGE.into(),
        "student.*".into(),
        lapin::types::FieldTable::default(),
    );
    unbind.await.expect("the binding exists");
    publish().await;
    eventually(soon, "the queue is bound again", async || {
        publish().await;
        database.count("inbox").await > 1
    })
    .await;
    assert_eq!(consumer.count_lines("may not bind"), 0);
}
