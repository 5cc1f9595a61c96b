//! The consumer while its database is lost, refuses writes or ends in the middle of its work.

use crate::fixture::{Fixture, SOON, user};
use events::topology::PROFILE;
use lapin::{
    message::Delivery,
    options::{BasicGetOptions, BasicNackOptions},
};
use messaging::Limits;
use std::time::Duration;
use test_support::{Mode, eventually};
use tokio::time::{Instant, timeout};

/// Longer than a batch may be in hand before the consumer says so, 5 s.
const ATTEMPT: Duration = Duration::from_secs(6);

#[tokio::test]
async fn an_event_whose_connection_dies_silently_is_handled_over_another_one() {
    let fixture = Fixture::new().await;
    let (pool, to_database) = fixture.pool_through_proxy().await;
    let limits = Limits {
        attempt: ATTEMPT,
        ..Limits::default()
    };
    let status = fixture.start_limited_consumer(pool, limits).await;
    fixture.proof_of_life().await;
    let holder = fixture.lock("effect").await;
    let event = user("forgotten");
    fixture.send(&event).await;
    fixture.waits_for_a_lock("insert into effect").await;
    to_database.forget();
    let answered = "exists (select from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction (aborted)')";
    eventually(SOON, "the answer is lost", async || {
        fixture.database.is(answered).await
    })
    .await;
    holder.rollback().await.unwrap();
    eventually(SOON, "the consumer says that it is stuck", async || {
        status.check().is_err()
    })
    .await;
    assert_eq!(fixture.effects().await, 1);
    eventually(ATTEMPT * 3, "it is handled", async || {
        fixture.effects().await == 2
    })
    .await;
    // A connection that was forgotten would take the whole limit once more.
    for _ in 0..10 {
        let took = fixture.proof_of_life().await;
        assert!(took < ATTEMPT / 2, "{took:?}");
    }
    assert!(status.check().is_ok(), "{:?}", status.check());
    assert_eq!(fixture.effects().await, 12);
    assert_eq!(fixture.database.count("parked_event").await, 0);
}

/// What a database without disk space does, too. The messages must not be returned again and again: the broker counts
/// each return, and sets a message aside after 20.
#[tokio::test]
async fn a_database_that_refuses_writes_makes_no_event_dead_and_costs_one_return() {
    let fixture = Fixture::new().await;
    let limits = Limits {
        hold: Duration::from_millis(300),
        ..Limits::default()
    };
    let pool = fixture.pool().await;
    let status = fixture.start_limited_consumer(pool, limits).await;
    fixture.proof_of_life().await;
    refuse_writes(&fixture, true).await;
    // Settings of a database hold for new sessions.
    fixture.database.terminate_sessions().await;
    let events: Vec<_> = (0..5).map(|_| user("sound")).collect();
    for event in &events {
        fixture.send(event).await;
    }
    let refused = async || {
        let refused =
            "select xact_rollback from pg_stat_database where datname = current_database()";
        fixture
            .database
            .value(refused)
            .await
            .parse::<i64>()
            .unwrap()
    };
    eventually(
        SOON,
        "the consumer has given its delivery back",
        async || {
            status
                .check()
                .is_err_and(|cause| cause.contains("takes no write"))
        },
    )
    .await;
    let before = refused().await;
    eventually(SOON, "it tries to write again and again", async || {
        refused().await >= before + 3
    })
    .await;
    let channel = fixture.vhost.channel().await;
    let (queue, get) = (PROFILE.queue.name, BasicGetOptions::default());
    let first = channel.basic_get(queue.into(), get).await.unwrap().unwrap();
    assert_eq!(first.message_count, 4, "the consumer is not subscribed");
    assert_eq!(returns(&first.delivery), Some(1));
    let back = BasicNackOptions {
        requeue: true,
        multiple: false,
    };
    first.nack(back).await.unwrap();

    refuse_writes(&fixture, false).await;
    for event in &events {
        fixture.has_effect(event).await;
    }
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 7, "none is lost, none is doubled");
    assert_eq!(fixture.database.count("parked_event").await, 0);
    assert_eq!(fixture.vhost.depth(PROFILE.queue.crashed).await, Some(0));
}

async fn refuse_writes(fixture: &Fixture, refuse: bool) {
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    let set = if refuse { "set" } else { "reset" };
    let value = if refuse { "= on" } else { "" };
    let name = fixture.database.value("select current_database()").await;
    for statement in [
        "set default_transaction_read_only = off".to_owned(),
        format!("alter database {name} {set} default_transaction_read_only {value}"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

/// How often the broker has taken a message back into its queue.
fn returns(delivery: &Delivery) -> Option<i64> {
    let headers = delivery.properties.headers().as_ref()?;
    headers.inner().get("x-delivery-count")?.as_long_long_int()
}

/// The claims of events that were not tried yet are given back. Without that they would be due after the lease of 30 s,
/// one try nearer to dead.
#[tokio::test]
async fn claims_that_an_outage_stopped_cost_no_attempt_and_are_due_at_once() {
    let fixture = Fixture::new().await;
    let (pool, to_database) = fixture.pool_through_proxy().await;
    let mut last = Vec::new();
    for email in ["sound", "sound", "sound", "panic", "panic"] {
        last.push(fixture.park(&user(email)).await);
    }
    let holder = fixture.lock("effect").await;
    let due = "update parked_event set due_at = now(), attempts = 2";
    fixture.database.run(due).await;
    let _status = fixture
        .start_limited_consumer(pool, Limits::default())
        .await;
    fixture.waits_for_a_lock("insert into effect").await;
    assert!(
        fixture
            .database
            .is("(select bool_and(attempts = 3) from parked_event)")
            .await
    );
    to_database.set(Mode::Refuse);
    let gone = "not exists (select from pg_stat_activity where datname = current_database()
                            and query like 'insert into effect%' and state = 'active')";
    eventually(SOON, "the try has ended", async || {
        fixture.database.is(gone).await
    })
    .await;
    holder.rollback().await.unwrap();
    to_database.set(Mode::Pass);
    eventually(SOON, "the others are handled", async || {
        fixture.effects().await == 3
    })
    .await;
    // The third try of these, and not the fourth.
    let tried = "parked_event where state = 'waiting' and kind = 'panic' and attempts = 3";
    eventually(SOON, "the others are tried once", async || {
        fixture.database.count(tried).await == 2
    })
    .await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 4);
    assert_eq!(fixture.database.count("parked_event").await, 2);
}

#[tokio::test]
async fn a_consumer_without_its_database_holds_deliveries_only_while_it_is_alone() {
    let fixture = Fixture::new().await;
    let (pool, to_database) = fixture.pool_through_proxy().await;
    let limits = Limits {
        hold_beside_others: Duration::from_millis(200),
        ..Limits::default()
    };
    let status = fixture.start_limited_consumer(pool, limits).await;
    // One delivery is in flight until the first is acknowledged. The second shows that it is.
    fixture.proof_of_life().await;
    fixture.proof_of_life().await;
    to_database.set(Mode::AcceptThenClose);
    let events: Vec<_> = (0..5).map(|_| user("held")).collect();
    for event in &events {
        fixture.send(event).await;
    }
    eventually(SOON, "the consumer holds them", async || {
        status.check().is_err()
    })
    .await;
    let returned = eventually(
        limits.hold_beside_others * 5,
        "they are returned",
        async || fixture.vhost.depth(PROFILE.queue.name).await > Some(0),
    );
    assert!(
        timeout(limits.hold_beside_others * 4, returned)
            .await
            .is_err(),
        "it is alone"
    );

    let began = Instant::now();
    let replica = fixture
        .start_limited_consumer(fixture.pool().await, limits)
        .await;
    for event in &events {
        fixture.has_effect(event).await;
    }
    assert!(began.elapsed() < limits.hold / 4, "{:?}", began.elapsed());
    fixture.proof_of_life().await;
    assert!(status.check().is_err() && replica.check().is_ok());
    to_database.set(Mode::Pass);
    eventually(SOON, "both are subscribed", async || status.check().is_ok()).await;
    fixture.proof_of_life().await;
    assert_eq!(fixture.effects().await, 9, "none is lost, none is doubled");
    assert_eq!(fixture.database.count("parked_event").await, 0);
}
