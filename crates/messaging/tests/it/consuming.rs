//! From the queue to the effect, and to the parked events.

use crate::office::{Office, SOON, bare_envelope, broker, compat_broker, user};
use events::{Event as _, EventId, auth::UserCreated, topology::PROFILE};
use lapin::{
    BasicProperties,
    options::{BasicGetOptions, BasicNackOptions, BasicPublishOptions, QueueDeleteOptions},
};
use messaging::operator::{self, Which};
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;
use test_support::{Mode, Proxy, eventually, servers};
use uuid::Uuid;

#[tokio::test]
async fn the_same_event_has_one_effect_however_often_it_comes() {
    let office = Office::new().await;
    office.start_consumer().await;
    let event = user("again and again");
    let body = bare_envelope(&event, EventId::new());
    for _ in 0..20 {
        office.vhost.publish(UserCreated::KEY, &body).await;
    }
    office.proof_of_life().await;
    assert_eq!(office.effects().await, 2);
    assert_eq!(office.database.count("inbox").await, 2);
}

#[tokio::test]
async fn what_was_published_before_the_first_consumer_is_kept_for_it() {
    let office = Office::new().await;
    messaging::topology::apply(&office.broker()).await.unwrap();
    let event = user("early");
    office.send(&event).await;
    office.start_consumer().await;
    office.has_effect(&event).await;
}

#[tokio::test]
async fn a_message_that_can_never_be_handled_is_dead_with_a_reason_and_stops_nothing() {
    let office = Office::new().await;
    office.start_consumer().await;
    let poison: [&[u8]; 6] =
        [b"", b"\xff\xfe", b"nonsense", b"42", br#"{"_meta": {}}"#, br#"{"payload": {}, "_meta": {}}"#];
    for body in poison {
        office.vhost.publish(UserCreated::KEY, body).await;
        office.vhost.publish(UserCreated::KEY, body).await;
    }
    office.proof_of_life().await;
    let dead = operator::parked(&mut office.database.pool.acquire().await.unwrap(), &Which::default(), 100)
        .await
        .unwrap();
    assert_eq!(dead.len(), poison.len(), "{dead:#?}");
    assert!(
        dead.iter().all(|event| event.state == "dead" && !event.reason.is_empty() && event.deliveries == 2)
    );
    assert_eq!(office.effects().await, 1);
}

#[tokio::test]
async fn an_unreadable_message_cannot_keep_a_sound_one_with_its_id_away() {
    let office = Office::new().await;
    office.start_consumer().await;
    let (event, event_id) = (user("sound"), EventId::new());
    let forged = format!(r#"{{"payload": {{}}, "_meta": {{"event_id": "{event_id}"}}}}"#);
    office.vhost.publish(UserCreated::KEY, forged).await;
    office.vhost.publish(UserCreated::KEY, bare_envelope(&event, event_id)).await;
    office.has_effect(&event).await;
}

#[tokio::test]
async fn only_the_culprit_of_a_batch_is_parked() {
    let office = Office::new().await;
    messaging::topology::apply(&office.broker()).await.unwrap();
    for i in 0..60 {
        office
            .send(&user(match i {
                20 => "reject",
                40 => "panic",
                _ => "innocent",
            }))
            .await;
    }
    office.start_consumer().await;
    eventually(SOON, "the innocent are handled", async || office.effects().await == 58).await;
    office.parked("state = 'dead' and kind = 'rejected' and reason like '%the test says so%'").await;
    office.parked("state = 'waiting' and kind = 'panic' and attempts >= 1").await;
    assert_eq!(office.database.count("parked_event").await, 2);
    office.proof_of_life().await;
}

#[tokio::test]
async fn an_event_without_a_handler_is_acknowledged() {
    let office = Office::new().await;
    office.start_consumer().await;
    office.vhost.publish("auth.user.promoted", br#"{"payload": {}, "_meta": {}}"#).await;
    office.proof_of_life().await;
    assert_eq!(office.database.count("parked_event").await, 0);
    eventually(SOON, "the queue is empty", async || office.vhost.depth(PROFILE.name).await == Some(0)).await;
}

#[tokio::test]
async fn a_transient_failure_is_tried_again() {
    let office = Office::new().await;
    office.start_consumer().await;
    let event = user("flaky");
    office.send(&event).await;
    office.has_effect(&event).await;
    assert_eq!(office.database.count("parked_event").await, 0);
}

#[tokio::test]
async fn an_event_waits_for_what_it_needs_and_goes_on_in_the_same_moment() {
    let office = Office::new().await;
    office.start_consumer().await;
    let (waiting, gate) = (user("needs the gate"), user("gate"));
    office.send(&waiting).await;
    office
        .parked("state = 'waiting' and waits_for = 'gate' and due_at > now() + interval '20 seconds'")
        .await;
    office.send(&gate).await;
    office.has_effect(&waiting).await;
    assert_eq!(office.effects().await, 2);
    assert_eq!(office.database.count("parked_event").await, 0);
}

#[tokio::test]
async fn an_event_may_wait_for_another_of_its_own_batch() {
    let office = Office::new().await;
    messaging::topology::apply(&office.broker()).await.unwrap();
    office.send(&user("innocent")).await;
    for _ in 0..20 {
        office.send(&user("needs the gate")).await;
    }
    office.send(&user("gate")).await;
    office.start_consumer().await;
    eventually(SOON, "all are handled", async || office.effects().await == 22).await;
    assert_eq!(office.database.count("parked_event").await, 0);
}

#[tokio::test]
async fn whoever_is_erased_is_erased_from_parked_events() {
    let office = Office::new().await;
    office.start_consumer().await;
    let (leaves, stays) = (user("reject"), user("reject"));
    let (left, stayed) = (office.send(&leaves).await, office.send(&stays).await);
    eventually(SOON, "both are dead", async || office.database.count("parked_event").await == 2).await;
    let mut tx = office.outbox_without_relay().begin().await.unwrap();
    tx.erase(&[leaves.user_id.as_uuid()]).await.unwrap();
    tx.commit().await.unwrap();
    office.parked(&format!("event_id = '{left}' and body = '' and kind = 'erased'")).await;
    office.parked(&format!("event_id = '{stayed}' and body <> '' and kind = 'rejected'")).await;
}

#[tokio::test]
async fn a_copy_of_a_parked_event_is_swallowed() {
    let office = Office::new().await;
    office.start_consumer().await;
    let body = bare_envelope(&user("needs the gate"), EventId::new());
    office.vhost.publish(UserCreated::KEY, &body).await;
    office.parked("waits_for = 'gate'").await;
    office.vhost.publish(UserCreated::KEY, &body).await;
    office.vhost.publish(UserCreated::KEY, &body).await;
    office.send(&user("gate")).await;
    eventually(SOON, "it went on", async || office.effects().await == 2).await;
    office.proof_of_life().await;
    assert_eq!(office.effects().await, 3);
}

#[tokio::test]
async fn a_dead_event_can_be_replayed_and_keeps_its_id() {
    let office = Office::new().await;
    office.start_consumer().await;
    let event_id = office.send(&user("reject")).await;
    office.parked("state = 'dead'").await;
    let mut connection = office.database.pool.acquire().await.unwrap();
    let replayed = operator::replay(&mut connection, &[event_id.as_uuid()]).await.unwrap();
    assert_eq!(replayed, [event_id.as_uuid()]);
    let again = format!("state = 'dead' and attempts = 1 and event_id = '{event_id}'");
    office.parked(&again).await;
    assert!(operator::replay(&mut connection, &[Uuid::now_v7()]).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_events_handling_is_cut_after_a_second() {
    let office = Office::new().await;
    office.start_consumer().await;
    office.send(&user("slow")).await;
    office.parked("state = 'waiting' and kind = 'database' and reason like '%statement timeout%'").await;
    office.proof_of_life().await;
}

#[tokio::test]
async fn two_events_about_one_aggregate_in_one_batch_are_both_handled_in_order() {
    let office = Office::new().await;
    messaging::topology::apply(&office.broker()).await.unwrap();
    let mut event = user("first");
    office.send(&event).await;
    event.email = "second".into();
    office.send(&event).await;
    office.start_consumer().await;
    eventually(SOON, "both", async || office.effects().await == 2).await;
    let in_order = "(select array_agg(email order by at) from effect) = array['first', 'second']";
    assert!(office.database.is(in_order).await);
}

#[tokio::test]
async fn events_are_held_while_the_database_is_away_and_none_is_parked() {
    let office = Office::new().await;
    let url: reqwest::Url = office.database.url.parse().unwrap();
    let target = url.socket_addrs(|| None).unwrap()[0];
    let to_database = Proxy::to(target).await;
    let through = office.database.url.replace(&target.to_string(), &to_database.address.to_string());
    assert_ne!(through, office.database.url);
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(1)).connect_lazy(&through).unwrap();
    office.start_consumer_with(pool).await;
    office.proof_of_life().await;
    to_database.set(Mode::Refuse);
    let held = user("held");
    office.send(&held).await;
    to_database.set(Mode::Pass);
    office.has_effect(&held).await;
    office.proof_of_life().await;
    assert_eq!(office.database.count("parked_event").await, 0);
    assert_eq!(office.effects().await, 3);
}

#[tokio::test]
async fn after_a_cut_connection_what_is_published_then_is_received() {
    let office = Office::new().await;
    office.start_consumer().await;
    for _ in 0..3 {
        office.to_broker.cut();
        office.proof_of_life().await;
    }
    assert_eq!(office.effects().await, 3);
}

#[tokio::test]
async fn a_deleted_queue_is_made_anew() {
    let office = Office::new().await;
    office.start_consumer().await;
    let channel = office.vhost.channel().await;
    channel.queue_delete(PROFILE.name.into(), QueueDeleteOptions::default()).await.unwrap();
    eventually(SOON, "the queue is back", async || office.vhost.depth(PROFILE.name).await.is_some()).await;
    eventually(SOON, "an event is heard again", async || {
        office.send(&user("again")).await;
        office.effects().await > 0
    })
    .await;
}

#[tokio::test]
async fn what_crashed_its_consumer_again_and_again_is_parked_as_dead() {
    let office = Office::new().await;
    messaging::topology::apply(&office.broker()).await.unwrap();
    let event_id = office.send(&user("deadly")).await;
    let channel = office.vhost.channel().await;
    eventually(SOON, "the broker sets it aside", async || {
        if let Some(message) =
            channel.basic_get(PROFILE.name.into(), BasicGetOptions::default()).await.unwrap()
        {
            message.nack(BasicNackOptions { requeue: true, multiple: false }).await.unwrap();
        }
        office.vhost.depth(PROFILE.crashed).await == Some(1)
    })
    .await;
    office.start_consumer().await;
    let dead = format!(
        "event_id = '{event_id}' and state = 'dead' and kind = 'crashed' and routing_key = 'auth.user.created'
         and exchange = 'events.topic'"
    );
    office.parked(&dead).await;
    eventually(SOON, "it is moved", async || office.vhost.depth(PROFILE.crashed).await == Some(0)).await;
    office.proof_of_life().await;
    assert_eq!(office.effects().await, 1);
}

#[tokio::test]
async fn told_to_stop_a_consumer_ends_and_loses_nothing() {
    let office = Office::new().await;
    let consumer = office.start_consumer().await;
    for _ in 0..200 {
        office.send(&user("many")).await;
    }
    office.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), consumer).await.expect("the consumer ends in time").unwrap();
    eventually(SOON, "what was not handled is back in the queue", async || {
        let left = office.vhost.depth(PROFILE.name).await.unwrap_or_default();
        i64::from(left) + office.effects().await >= 200
    })
    .await;
}

/// In production a service's login may read its queue and declare nothing.
#[tokio::test]
async fn a_login_that_may_not_declare_consumes_all_the_same() {
    let office = Office::new().await;
    messaging::topology::apply(&office.broker()).await.unwrap();
    let (name, management) = (format!("login-{}", Uuid::new_v4().simple()), servers::management_url());
    let vhost = office.vhost.amqp_url.rsplit('/').next().unwrap();
    let http = reqwest::Client::new();
    let put = async |path: String, body: serde_json::Value| {
        let answer = http.put(format!("{management}/api/{path}")).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    };
    put(format!("users/{name}"), serde_json::json!({"password": "secret", "tags": ""})).await;
    let rights = serde_json::json!({"configure": "^$", "write": "^events\\.topic$", "read": "^profile\\."});
    put(format!("permissions/{vhost}/{name}"), rights).await;

    let url = format!("amqp://{name}:secret@{}/{vhost}", office.to_broker.address);
    let outbox = office.outbox_without_relay();
    let consumer = messaging::Consumer::new(
        broker(&url, office.to_broker.address),
        outbox,
        &PROFILE,
        messaging::Handlers::new(),
    );
    let status = consumer.status();
    let task = tokio::spawn(consumer.run(office.stop.clone()));
    eventually(SOON, "the consumer hears", async || status.check().is_ok()).await;
    office.send(&user("heard")).await;
    eventually(SOON, "the queue is empty", async || office.vhost.depth(PROFILE.name).await == Some(0)).await;
    task.abort();
    http.delete(format!("{management}/api/users/{name}")).send().await.unwrap();
}

#[tokio::test]
async fn what_the_replaced_services_publish_is_read_where_that_is_asked_for() {
    const OLD: &str = "medtrack.events";
    let office = Office::new().await;
    let broker = compat_broker(&office.vhost.amqp_url, OLD);
    office.start_consumer_at(office.database.pool.clone(), broker).await;
    let event = user("old");
    let body = serde_json::json!({"event_type": "user.created", "payload": event, "service": "auth-service",
                                  "timestamp": "2025-12-18T08:00:00", "version": "1.0"});
    let bad = serde_json::json!({"event_type": "user.created", "payload": {"user_id": 1}, "service": "auth-service"});
    let channel = office.vhost.channel().await;
    for (key, body) in
        [("user.created", &body), ("user.created", &body), ("user.created", &bad), ("user.login", &body)]
    {
        let options = BasicPublishOptions::default();
        let body = body.to_string();
        channel
            .basic_publish(OLD.into(), key.into(), options, body.as_bytes(), BasicProperties::default())
            .await
            .unwrap();
    }
    office.has_effect(&event).await;
    office.parked("state = 'dead' and kind = 'bad_payload' and exchange = 'medtrack.events'").await;
    office.proof_of_life().await;
    assert_eq!(office.effects().await, 2, "copies and unknown keys have no effect");
    assert_eq!(office.database.count("parked_event").await, 1);
}
