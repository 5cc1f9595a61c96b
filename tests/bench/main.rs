//! How fast the chain is, beside what this machine can do at all: ratios carry over, figures do not.
//!
//! `./medtrack bench` runs it. PostgreSQL has to keep commit timestamps (`track_commit_timestamp = on`): they
//! tell, on the server's one clock, when a registration and its notification were committed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a report for a person")]
#![expect(
    clippy::disallowed_methods,
    reason = "tables of other crates, and of its own"
)]

use chrono::{DateTime, Utc};
use events::{Event as _, Role, UserId, auth::UserCreated, topology::EXCHANGE};
use futures_util::{StreamExt as _, future::join_all};
use lapin::{
    BasicProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use test_support::{Stack, Unit, eventually};
use uuid::Uuid;

const ROUNDS: usize = 300;
/// Between two rounds. Cores and threads that have gone to sleep are part of what a machine can do for one user.
const PACE: Duration = Duration::from_millis(20);
const DRAINED: usize = 20_000;

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let mut stack = Stack::start().await;
    let commit = one_row_commit(&stack).await;
    let hop = publish_to_deliver(&stack).await;
    let chain = register_to_notification(&stack).await;
    // What the chain cannot do without: three commits and two hops.
    let floor = 3.0 * commit.p50 + 2.0 * hop.p50;
    let took = drain(&mut stack).await.as_secs_f64();
    let rate = DRAINED as f64 / took;
    let memory: Vec<_> = Unit::ALL
        .into_iter()
        .map(|unit| (unit, resident_mb(stack.process(unit).pid())))
        .collect();
    if json {
        let times = |times: Times| serde_json::json!({"p50_ms": times.p50, "p95_ms": times.p95, "p99_ms": times.p99});
        let memory: serde_json::Map<_, _> = memory
            .into_iter()
            .map(|(unit, mb)| (format!("{unit:?}"), mb.into()))
            .collect();
        let report = serde_json::json!({
            "rounds": ROUNDS, "commit": times(commit), "hop": times(hop), "floor_p50_ms": floor, "chain": times(chain),
            "chain_to_floor": chain.p50 / floor, "drained": DRAINED, "drain_events_per_second": rate,
            "resident_mb": memory,
        });
        println!("{report:#}");
        return;
    }
    println!(
        "{:<44} {:>9} {:>9} {:>9} {:>9}",
        format!("{ROUNDS} rounds, one after the other"),
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "to floor"
    );
    for (what, times) in [
        ("this machine: one-row commit", commit),
        ("this machine: publish to deliver", hop),
        ("registration committed to notification", chain),
    ] {
        let ratio = if times.p50 == chain.p50 {
            format!("{:.2}", chain.p50 / floor)
        } else {
            String::new()
        };
        println!(
            "{what:<44} {:>9.2} {:>9.2} {:>9.2} {ratio:>9}",
            times.p50, times.p95, times.p99
        );
    }
    println!("the floor: 3 commits + 2 hops = {floor:.2} ms; the limit is twice that");
    println!(
        "{DRAINED} queued auth.user.created through both hops: {took:.2} s, {rate:.0} events/s (the goal is 5000)"
    );
    for (unit, mb) in memory {
        println!("resident memory of {unit:?}: {mb:.1} MB");
    }
}

/// Milliseconds.
#[derive(Clone, Copy)]
struct Times {
    p50: f64,
    p95: f64,
    p99: f64,
}

impl Times {
    fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
        Self {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
        }
    }
}

async fn one_row_commit(stack: &Stack) -> Times {
    let mut connection = stack.auth.pool.acquire().await.unwrap();
    sqlx::query("create table floor (id uuid primary key, at timestamptz default now())")
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut samples = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        sqlx::query("insert into floor (id) values ($1)")
            .bind(Uuid::now_v7())
            .execute(&mut *connection)
            .await
            .unwrap();
        samples.push(began.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(PACE).await;
    }
    Times::of(samples)
}

async fn publish_to_deliver(stack: &Stack) -> Times {
    let channel = stack.vhost.channel().await;
    let mut quorum = FieldTable::default();
    quorum.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    channel
        .queue_declare("floor".into(), durable, quorum)
        .await
        .unwrap();
    let mut consumer = channel
        .basic_consume(
            "floor".into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let publisher = stack.vhost.channel().await;
    publisher
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let body = [b'x'; 300];
    let mut samples = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let options = BasicPublishOptions::default();
        let confirm = publisher
            .basic_publish(
                "".into(),
                "floor".into(),
                options,
                &body,
                persistent.clone(),
            )
            .await
            .unwrap();
        let delivery = consumer.next().await.unwrap().unwrap();
        samples.push(began.elapsed().as_secs_f64() * 1e3);
        delivery.ack(BasicAckOptions::default()).await.unwrap();
        confirm.await.unwrap();
        tokio::time::sleep(PACE).await;
    }
    Times::of(samples)
}

async fn register_to_notification(stack: &Stack) -> Times {
    for i in 0..ROUNDS {
        stack
            .client
            .register(if i % 2 == 0 {
                Role::Student
            } else {
                Role::Encadrant
            })
            .await;
        // The next password's hash would take a core from this one's chain.
        eventually(
            Duration::from_secs(10),
            "the user is welcomed",
            async || stack.comm.count("communications_notification").await == i as i64 + 1,
        )
        .await;
        tokio::time::sleep(PACE).await;
    }
    // A session's row is written with the user's and never again.
    let registered: Vec<(Uuid, DateTime<Utc>)> =
        sqlx::query_as("select user_id, pg_xact_commit_timestamp(xmin) from users_session")
            .fetch_all(&stack.auth.pool)
            .await
            .expect("PostgreSQL keeps commit timestamps");
    let notified_at: HashMap<Uuid, DateTime<Utc>> = sqlx::query_as(
        "select user_id, pg_xact_commit_timestamp(xmin) from communications_notification",
    )
    .fetch_all(&stack.comm.pool)
    .await
    .expect("PostgreSQL keeps commit timestamps")
    .into_iter()
    .collect();
    let milliseconds = |(user, at): (Uuid, DateTime<Utc>)| {
        (notified_at[&user] - at)
            .num_microseconds()
            .map_or(f64::NAN, |micros| micros as f64 / 1e3)
    };
    Times::of(registered.into_iter().map(milliseconds).collect())
}

async fn drain(stack: &mut Stack) -> Duration {
    for unit in Unit::CONSUMERS {
        stack.stop(unit, Duration::from_secs(15)).await;
    }
    let channel = stack.vhost.channel().await;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    for _ in 0..DRAINED / 500 {
        let confirms = join_all((0..500).map(async |_| {
            let event = UserCreated {
                user_id: UserId::new(),
                ..UserCreated::sample()
            };
            let body = serde_json::json!({"payload": event, "_meta": {"event_id": Uuid::now_v7()}})
                .to_string();
            let persistent = BasicProperties::default().with_delivery_mode(2);
            let options = BasicPublishOptions::default();
            let key = UserCreated::KEY.into();
            channel
                .basic_publish(EXCHANGE.into(), key, options, body.as_bytes(), persistent)
                .await
                .unwrap()
                .await
        }))
        .await;
        assert!(confirms.into_iter().all(|confirm| confirm.is_ok()));
    }
    let began = Instant::now();
    stack.spawn(&Unit::CONSUMERS);
    let wanted = (ROUNDS + DRAINED) as i64;
    eventually(Duration::from_secs(60), "all are welcomed", async || {
        tokio::time::sleep(Duration::from_millis(40)).await;
        stack.comm.count("communications_notification").await == wanted
    })
    .await;
    let took = began.elapsed();
    let profiles = stack.profile.count("profiles_student").await
        + stack.profile.count("profiles_encadrant").await;
    assert_eq!(profiles, wanted, "one profile each");
    assert_eq!(
        stack.comm.count("communications_notification").await,
        wanted,
        "one welcome each"
    );
    for database in [&stack.auth, &stack.profile, &stack.comm] {
        assert_eq!(database.count("parked_event").await, 0, "nothing parked");
    }
    took
}

fn resident_mb(pid: i32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<f64>()
        .unwrap_or(f64::NAN)
        / 1024.0
}
