//! From the queue to the effect, and to the parked events.

use crate::fixture::{Fixture, SOON, bare_envelope, broker, compat_broker, user};
use events::{Event as _, EventId, auth::UserCreated, topology::PROFILE};
use lapin::{
    BasicProperties,
    options::{BasicGetOptions, BasicNackOptions, BasicPublishOptions, QueueDeleteOptions},
};
use messaging::admin::{self, ParkedFilter};
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;
use test_support::{Mode, Proxy, eventually, servers};
use uuid::Uuid;

#[tokio::test]
async fn the_same_event_has_one_effect_however_often_it_comes() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let event = user("again and again");
    let body = bare_envelope(&event, EventId::new());
    for _ in 0..20 {
        fixture.vhost.publish(UserCreated::KEY, &body).await;
    }
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 2);
    assert_eq!(fixture.database.count("inbox").await, 2);
}

#[tokio::test]
async fn what_was_published_before_the_first_consumer_is_kept_for_it() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let event = user("early");
    fixture.send(&event).await;
    fixture.start_consumer().await;
    fixture.has_effect(&event).await;
}

#[tokio::test]
async fn a_message_that_can_never_be_handled_is_dead_with_a_reason_and_stops_nothing() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let poison: [&[u8]; 6] = [
        b"",
        b"\xff\xfe",
        b"nonsense",
        b"42",
        br#"{"_meta": {}}"#,
        br#"{"payload": {}, "_meta": {}}"#,
    ];
    for body in poison {
        fixture.vhost.publish(UserCreated::KEY, body).await;
        fixture.vhost.publish(UserCreated::KEY, body).await;
    }
    fixture.proof_of_life().await;
    let dead = admin::parked(
        &mut fixture.database.pool.acquire().await.unwrap(),
        &ParkedFilter::default(),
        100,
    )
    .await
    .unwrap();
    assert_eq!(dead.len(), poison.len(), "{dead:#?}");
    assert!(
        dead.iter().all(|event| event.state == "dead"
            && !event.reason.is_empty()
            && event.deliveries == 2)
    );
    assert_eq!(fixture.effects().await, 1);
}

#[tokio::test]
async fn an_unreadable_message_cannot_keep_a_sound_one_with_its_id_away() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let (event, event_id) = (user("sound"), EventId::new());
    let forged = format!(r#"{{"payload": {{}}, "_meta": {{"event_id": "{event_id}"}}}}"#);
    fixture.vhost.publish(UserCreated::KEY, forged).await;
    fixture
        .vhost
        .publish(UserCreated::KEY, bare_envelope(&event, event_id))
        .await;
    fixture.has_effect(&event).await;
}

#[tokio::test]
async fn only_the_culprit_of_a_batch_is_parked() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    for i in 0..60 {
        fixture
            .send(&user(match i {
                20 => "reject",
                40 => "panic",
                _ => "innocent",
            }))
            .await;
    }
    fixture.start_consumer().await;
    eventually(SOON, "the innocent are handled", async || {
        fixture.effects().await == 58
    })
    .await;
    fixture
        .parked("state = 'dead' and kind = 'rejected' and reason like '%the test says so%'")
        .await;
    fixture
        .parked("state = 'waiting' and kind = 'panic' and attempts >= 1")
        .await;
    assert_eq!(fixture.database.count("parked_event").await, 2);
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn an_event_without_a_handler_is_acknowledged() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    fixture
        .vhost
        .publish("auth.user.promoted", br#"{"payload": {}, "_meta": {}}"#)
        .await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.database.count("parked_event").await, 0);
    eventually(SOON, "the queue is empty", async || {
        fixture.vhost.depth(PROFILE.queue.name).await == Some(0)
    })
    .await;
}

#[tokio::test]
async fn a_transient_failure_is_tried_again() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let event = user("flaky");
    fixture.send(&event).await;
    fixture.has_effect(&event).await;
    assert_eq!(fixture.database.count("parked_event").await, 0);
}

#[tokio::test]
async fn an_event_waits_for_what_it_needs_and_goes_on_in_the_same_moment() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let (waiting, gate) = (user("needs the gate"), user("gate"));
    fixture.send(&waiting).await;
    fixture
        .parked(
            "state = 'waiting' and waits_for = 'gate' and due_at > now() + interval '20 seconds'",
        )
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
    fixture.send(&user("innocent")).await;
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
async fn whoever_is_erased_is_erased_from_parked_events() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let (leaves, stays) = (user("reject"), user("reject"));
    let (left, stayed) = (fixture.send(&leaves).await, fixture.send(&stays).await);
    eventually(SOON, "both are dead", async || {
        fixture.database.count("parked_event").await == 2
    })
    .await;
    let mut tx = fixture.outbox_without_relay().begin().await.unwrap();
    tx.erase(&[leaves.user_id.as_uuid()]).await.unwrap();
    tx.commit().await.unwrap();
    fixture
        .parked(&format!(
            "event_id = '{left}' and body = '' and kind = 'erased'"
        ))
        .await;
    fixture
        .parked(&format!(
            "event_id = '{stayed}' and body <> '' and kind = 'rejected'"
        ))
        .await;
}

#[tokio::test]
async fn a_copy_of_a_parked_event_is_swallowed() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let body = bare_envelope(&user("needs the gate"), EventId::new());
    fixture.vhost.publish(UserCreated::KEY, &body).await;
    fixture.parked("waits_for = 'gate'").await;
    fixture.vhost.publish(UserCreated::KEY, &body).await;
    fixture.vhost.publish(UserCreated::KEY, &body).await;
    fixture.send(&user("gate")).await;
    eventually(SOON, "it went on", async || fixture.effects().await == 2).await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 3);
}

#[tokio::test]
async fn a_dead_event_can_be_replayed_and_keeps_its_id() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    let event_id = fixture.send(&user("reject")).await;
    fixture.parked("state = 'dead'").await;
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    let replayed = admin::replay(&mut connection, &[event_id.as_uuid()])
        .await
        .unwrap();
    assert_eq!(replayed, [event_id.as_uuid()]);
    let again = format!("state = 'dead' and attempts = 1 and event_id = '{event_id}'");
    fixture.parked(&again).await;
    assert!(
        admin::replay(&mut connection, &[Uuid::now_v7()])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn one_events_handling_is_cut_after_a_second() {
    let fixture = Fixture::new().await;
    fixture.start_consumer().await;
    fixture.send(&user("slow")).await;
    fixture
        .parked("state = 'waiting' and kind = 'database' and reason like '%statement timeout%'")
        .await;
    fixture.proof_of_life().await;
}

#[tokio::test]
async fn two_events_about_one_aggregate_in_one_batch_are_both_handled_in_order() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let mut event = user("first");
    fixture.send(&event).await;
    event.email = "second".into();
    fixture.send(&event).await;
    fixture.start_consumer().await;
    eventually(SOON, "both", async || fixture.effects().await == 2).await;
    let in_order = "(select array_agg(email order by at) from effect) = array['first', 'second']";
    assert!(fixture.database.is(in_order).await);
}

#[tokio::test]
async fn events_are_held_while_the_database_is_away_and_none_is_parked() {
    let fixture = Fixture::new().await;
    let url: reqwest::Url = fixture.database.url.parse().unwrap();
    let target = url.socket_addrs(|| None).unwrap()[0];
    let to_database = Proxy::to(target).await;
    let through = fixture
        .database
        .url
        .replace(&target.to_string(), &to_database.address.to_string());
    assert_ne!(through, fixture.database.url);
    let pool = PgPoolOptions::new()
        .acquire_timeout(Duration::from_secs(1))
        .connect_lazy(&through)
        .unwrap();
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
async fn a_deleted_queue_is_made_anew() {
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
async fn told_to_stop_a_consumer_ends_and_loses_nothing() {
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
            let left = fixture
                .vhost
                .depth(PROFILE.queue.name)
                .await
                .unwrap_or_default();
            i64::from(left) + fixture.effects().await >= 200
        },
    )
    .await;
}

/// In production a service's login may read its queue and declare nothing.
#[tokio::test]
async fn a_login_that_may_not_declare_consumes_all_the_same() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let (name, management) = (
        format!("login-{}", Uuid::new_v4().simple()),
        servers::management_url(),
    );
    let vhost = fixture.vhost.amqp_url.rsplit('/').next().unwrap();
    let http = reqwest::Client::new();
    let put = async |path: String, body: serde_json::Value| {
        let response = http
            .put(format!("{management}/api/{path}"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(
            response.status().is_success(),
            "{path}: {}",
            response.status()
        );
    };
    put(
        format!("users/{name}"),
        serde_json::json!({"password": "secret", "tags": ""}),
    )
    .await;
    let rights =
        serde_json::json!({"configure": "^$", "write": "^events\\.topic$", "read": "^profile\\."});
    put(format!("permissions/{vhost}/{name}"), rights).await;

    let url = format!("amqp://{name}:secret@{}/{vhost}", fixture.to_broker.address);
    let outbox = fixture.outbox_without_relay();
    let consumer = messaging::Consumer::new(
        broker(&url, fixture.to_broker.address),
        outbox,
        &PROFILE.queue,
        messaging::Handlers::new(),
    );
    let status = consumer.status();
    let task = tokio::spawn(consumer.run(fixture.stop.clone()));
    eventually(SOON, "the consumer hears", async || status.check().is_ok()).await;
    fixture.send(&user("heard")).await;
    eventually(SOON, "the queue is empty", async || {
        fixture.vhost.depth(PROFILE.queue.name).await == Some(0)
    })
    .await;
    task.abort();
    http.delete(format!("{management}/api/users/{name}"))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn what_the_replaced_services_publish_is_read_where_that_is_asked_for() {
    const OLD: &str = "medtrack.events";
    let fixture = Fixture::new().await;
    let broker = compat_broker(&fixture.vhost.amqp_url, OLD);
    fixture
        .start_consumer_at(fixture.database.pool.clone(), broker)
        .await;
    let event = user("old");
    let body = serde_json::json!({"event_type": "user.created", "payload": event, "service": "auth-service",
                                  "timestamp": "2025-12-18T08:00:00", "version": "1.0"});
    let bad = serde_json::json!({"event_type": "user.created", "payload": {"user_id": 1}, "service": "auth-service"});
    let channel = fixture.vhost.channel().await;
    for (key, body) in [
        ("user.created", &body),
        ("user.created", &body),
        ("user.created", &bad),
        ("user.login", &body),
    ] {
        let options = BasicPublishOptions::default();
        let body = body.to_string();
        channel
            .basic_publish(
                OLD.into(),
                key.into(),
                options,
                body.as_bytes(),
                BasicProperties::default(),
            )
            .await
            .unwrap();
    }
    fixture.has_effect(&event).await;
    fixture
        .parked("state = 'dead' and kind = 'bad_payload' and exchange = 'medtrack.events'")
        .await;
    fixture.proof_of_life().await;
    assert_eq!(
        fixture.effects().await,
        2,
        "copies and unknown keys have no effect"
    );
    assert_eq!(fixture.database.count("parked_event").await, 1);
}
