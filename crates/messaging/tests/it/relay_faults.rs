//! The relay while the broker refuses an event, or the way to the broker or to the database is bad.

use crate::fixture::{Fixture, SOON, broker, commit, user};
use events::{
    Event as _,
    auth::{UserCreated, UserUpdated},
    topology::{COMM, EXCHANGE},
};
use lapin::types::FieldTable;
use messaging::{Cause, NewEvent, Outbox};
use serde_json::Value;
use std::{collections::HashMap, time::Duration};
use test_support::{BrokerProxy, Message, Mode, Tap, eventually, servers};
use tokio::time::Instant;
use uuid::Uuid;

const UNPUBLISHED: &str = "outbox where published_at is null";

async fn commit_many(outbox: &Outbox, count: usize, email: &str) {
    let mut tx = outbox.begin().await.unwrap();
    let new_events: Vec<_> = (0..count)
        .map(|_| NewEvent {
            cause: Cause::root(Uuid::now_v7()),
            version: 1,
            event: user(email),
        })
        .collect();
    tx.enqueue_all(&new_events).await.unwrap();
    tx.commit().await.unwrap();
}

async fn is_published(fixture: &Fixture) {
    eventually(SOON, "all is published", async || {
        fixture.database.count(UNPUBLISHED).await == 0
    })
    .await;
}

/// How often each event was heard.
fn copies(tap: &Tap) -> HashMap<String, usize> {
    let mut copies = HashMap::new();
    let id = |message: &Message| message.properties.message_id().clone().unwrap().to_string();
    for message in tap.heard() {
        *copies.entry(id(&message)).or_default() += 1;
    }
    copies
}

#[tokio::test]
async fn one_refused_event_is_set_aside_and_its_neighbours_are_published() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let tap = fixture.vhost.tap("#").await;
    fixture.vhost.allow_keys("^auth\\.user\\.created$").await;
    let outbox = fixture.outbox_without_relay();
    commit_many(&outbox, 50, "before").await;
    let mut tx = outbox.begin().await.unwrap();
    tx.enqueue(&Cause::root(Uuid::now_v7()), 2, UserUpdated::sample())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    commit_many(&outbox, 50, "behind").await;

    let (outbox, _relay) = fixture.start_relay();
    let refused = "outbox where published_at is null and refused_at is not null and routing_key = 'auth.user.updated'";
    eventually(SOON, "only the refused one is left", async || {
        fixture.database.count(UNPUBLISHED).await == 1 && fixture.database.count(refused).await == 1
    })
    .await;
    let copies = copies(&tap);
    assert_eq!(copies.len(), 100);
    assert!(copies.values().all(|copies| *copies <= 2), "{copies:?}");

    let later = user("later");
    commit(&outbox, later.clone()).await;
    tap.hear(|message| message.json()["payload"]["email"] == later.email)
        .await;

    fixture.vhost.allow_keys(".*").await;
    fixture
        .database
        .run("update outbox set claimed_until = now()")
        .await;
    tap.hear(|message| message.routing_key == UserUpdated::KEY)
        .await;
    eventually(SOON, "the refused one is published", async || {
        fixture.database.count(UNPUBLISHED).await == 0
            && fixture
                .database
                .count("outbox where refused_at is not null")
                .await
                == 0
    })
    .await;
}

#[tokio::test]
async fn a_slow_link_gets_ahead_and_repeats_little() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let tap = fixture.vhost.tap("#").await;
    let (outbox, _relay) = fixture.start_relay();
    commit(&outbox, user("connected")).await;
    tap.hear(|_| true).await;
    // 256 events of some 700 bytes take about 18 s.
    fixture.to_broker.set(Mode::BytesPerSecond(10_000));
    commit_many(&outbox, 256, "slow").await;
    eventually(Duration::from_secs(12), "some are marked", async || {
        fixture
            .database
            .count("outbox where published_at is not null")
            .await
            > 20
    })
    .await;
    fixture.to_broker.set(Mode::Pass);
    eventually(Duration::from_secs(20), "all are marked", async || {
        fixture.database.count(UNPUBLISHED).await == 0
    })
    .await;
    let copies = copies(&tap);
    assert_eq!(copies.len(), 257);
    let repeated = copies.values().filter(|copies| **copies > 1).count();
    assert!(repeated <= 200, "{repeated} were sent again");
}

#[tokio::test]
async fn a_row_that_was_left_behind_is_swept_while_events_are_handed_over_without_a_break() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let (outbox, _relay) = fixture.start_relay();
    commit(&outbox, user("connected")).await;
    is_published(&fixture).await;
    fixture
        .to_broker
        .set(Mode::Latency(Duration::from_millis(100)));
    let steady = tokio::spawn(async move {
        loop {
            commit(&outbox, user("steady")).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let tap = fixture.vhost.tap("#").await;
    commit(&fixture.outbox_without_relay(), user("left behind")).await;
    tap.hear(|message| message.json()["payload"]["email"] == "left behind")
        .await;
    assert!(!steady.is_finished());
    steady.abort();
}

#[tokio::test]
async fn many_events_that_no_queue_takes_do_not_hold_up_new_ones() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let (outbox, _relay) = fixture.start_relay();
    commit(&outbox, user("connected")).await;
    is_published(&fixture).await;
    let channel = fixture.vhost.channel().await;
    let unbind = channel.queue_unbind(
        COMM.queue.name.into(),
        EXCHANGE.into(),
        "student.*".into(),
        FieldTable::default(),
    );
    unbind.await.unwrap();
    fixture
        .database
        .run(
            "insert into outbox (event_id, routing_key, aggregate_id, aggregate_version, correlation_id, envelope,
                                 created_at, unroutable_at)
             select gen_random_uuid(), 'student.updated', gen_random_uuid(), 1, gen_random_uuid(), '{}',
                    now() - interval '5 seconds', now() - interval '10 minutes'
             from generate_series(1, 20000)",
        )
        .await;
    let tap = fixture.vhost.tap(UserCreated::KEY).await;
    eventually(SOON, "the relay is at them", async || {
        fixture
            .database
            .is("exists (select from outbox where unroutable_at > now() - interval '1 minute')")
            .await
    })
    .await;
    for number in 0..5 {
        let began = Instant::now();
        let event = user(&format!("new {number}"));
        commit(&outbox, event.clone()).await;
        tap.hear(|message| message.json()["payload"]["email"] == event.email)
            .await;
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn a_forgotten_connection_to_the_database_is_given_up_and_replaced() {
    let fixture = Fixture::new().await;
    let (pool, to_database) = fixture.pool_through_proxy().await;
    let (_outbox, relay) = messaging::outbox(pool, fixture.broker());
    tokio::spawn(relay.run(fixture.stop.clone()));
    let outbox = fixture.outbox_without_relay();
    commit(&outbox, user("before")).await;
    is_published(&fixture).await;
    to_database.forget();
    commit(&outbox, user("after")).await;
    eventually(
        Duration::from_secs(30),
        "the row is published",
        async || fixture.database.count(UNPUBLISHED).await == 0,
    )
    .await;
}

/// The entries of published rows stay in the index as long as a snapshot that is older.
#[tokio::test]
async fn a_held_snapshot_does_not_make_every_sweep_walk_all_that_was_published() {
    let fixture = Fixture::new().await;
    let mut snapshot = fixture.database.pool.begin().await.unwrap();
    sqlx::raw_sql("set transaction isolation level repeatable read; select count(*) from outbox")
        .execute(&mut *snapshot)
        .await
        .unwrap();
    let database = &fixture.database;
    database
        .run(
            "insert into outbox (event_id, routing_key, aggregate_id, aggregate_version, correlation_id, envelope,
                                 created_at)
             select gen_random_uuid(), 'auth.user.created', gen_random_uuid(), 1, gen_random_uuid(), '{}',
                    now() - interval '1 minute'
             from generate_series(1, 20000)",
        )
        .await;
    database.run("update outbox set published_at = now()").await;
    // No sequential scan, which a small table gets: it would read them all, but show in another figure.
    database
        .run("do $$ begin execute format('alter database %I set enable_seqscan = off', current_database()); end $$")
        .await;
    let (_outbox, _relay) = fixture.start_relay();
    let figure = async |column: &str| -> i64 {
        let figure = format!(
            "select {column} from pg_stat_user_indexes where indexrelname = 'outbox_unpublished'"
        );
        database.value(&figure).await.parse().unwrap()
    };
    let sweeps = async |from: i64| {
        eventually(SOON, "some sweeps", async || {
            figure("idx_scan").await >= from + 4
        })
        .await;
    };
    // The first look is at everything.
    sweeps(0).await;
    let (scans, entries) = (figure("idx_scan").await, figure("idx_tup_read").await);
    sweeps(scans).await;
    let walked = figure("idx_tup_read").await - entries;
    assert!(walked < 20_000, "{walked} entries");
    snapshot.rollback().await.unwrap();
}

#[tokio::test]
async fn a_relay_keeps_the_connection_that_the_broker_blocks_and_publishes_all_once_afterwards() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let tap = fixture.vhost.tap("#").await;
    let url = &fixture.vhost.amqp_url;
    let proxy = BrokerProxy::to(servers::address_of(url), &Value::Null).await;
    let (outbox, _relay) = fixture.start_relay_at(broker(url, proxy.address));
    commit(&outbox, user("connected")).await;
    tap.hear(|_| true).await;

    proxy.set_blocked(true);
    let began = Instant::now();
    commit_many(&outbox, 300, "blocked").await;
    // A call to the broker ends after 10 s; the relay then made another connection, again and again.
    eventually(Duration::from_secs(20), "12 s have passed", async || {
        commit(&outbox, user("meanwhile")).await;
        began.elapsed() > Duration::from_secs(12)
    })
    .await;
    let seen = proxy.seen();
    assert_eq!(
        (seen.connections, seen.blocked, seen.published),
        (1, 1, 1),
        "one connection, blocked, and only the first event passed"
    );

    proxy.set_blocked(false);
    is_published(&fixture).await;
    commit(&outbox, user("life")).await;
    tap.hear(|message| message.json()["payload"]["email"] == "life")
        .await;
    assert_eq!(proxy.seen().connections, 1);
    let copies = copies(&tap);
    assert_eq!(
        i64::try_from(copies.len()).unwrap(),
        fixture.database.count("outbox").await
    );
    assert!(copies.values().all(|copies| *copies == 1), "{copies:?}");
}
