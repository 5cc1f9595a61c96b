//! A backlog of events, from the start of the consumers to the last notification.

use crate::{
    cpu::{self, Cpu},
    report::{Figure, PARTS, Report},
};
use chrono::Utc;
use events::{
    EncadrantId, Event, EventId, Meta, Role, StudentId, UserId,
    auth::UserCreated,
    envelope,
    profile::{EncadrantCreated, StudentCreated},
    topology::{AUTH, COMM, EXCHANGE, PROFILE},
};
use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use std::time::{Duration, SystemTime};
use test_support::{Costs, Stack, Unit, eventually};
use uuid::Uuid;

const EVENTS: usize = 20_000;

/// What is in the queues.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Load {
    /// New users, through both hops.
    Plain,
    /// The same, every fourth event twice.
    Duplicates,
    /// New profiles of two kinds in turn, through the last hop.
    Alternating,
}

/// What one drain has taken.
struct Taken {
    /// From the start of the first consumer to the last committed notification.
    seconds: f64,
    /// From there until auth-service had recorded the last profile.
    auth_behind: f64,
    /// Seconds of CPU of each process.
    cpu: Vec<(String, f64)>,
    costs: Costs,
    /// All WAL of the server, in bytes.
    wal: f64,
}

/// Drains the same load several times.
pub(crate) async fn measure(stack: &mut Stack, load: Load, report: &mut Report) {
    let mut all = Vec::new();
    for _ in 0..PARTS {
        all.push(drain(stack, load).await);
    }
    let (path, about, asked) = match load {
        Load::Plain => (
            "drain",
            "20,000 new users through both hops",
            "at least 9000",
        ),
        Load::Duplicates => (
            "drain_duplicates",
            "the same with 5,000 duplicates",
            "at least 7000",
        ),
        Load::Alternating => (
            "drain_alternating",
            "20,000 profiles of two kinds in turn",
            "at least 4500",
        ),
    };
    let parts = |of: &dyn Fn(&Taken) -> f64| all.iter().map(of).collect::<Vec<_>>();
    let each = EVENTS as f64;
    let figure = |name: &str, what: &str, unit, parts| {
        Figure::of_parts(
            &format!("{path}_{name}"),
            &format!("{about}: {what}"),
            unit,
            parts,
        )
    };
    let rates = parts(&|taken| each / taken.seconds);
    report.add(figure("events_per_second", "events", "a second", rates).asked(asked));
    let behind = parts(&|taken| taken.auth_behind);
    report.add(figure("auth_behind_s", "auth-service level after", "s", behind).asked("at most 2"));
    for (index, (process, _)) in all[0].cpu.iter().enumerate() {
        let ms = parts(&|taken| taken.cpu[index].1 * 1e3 / each);
        let what = format!("CPU an event, {process}");
        report.add(figure(&format!("cpu_ms.{process}"), &what, "ms", ms));
    }
    let sums =
        parts(&|taken| taken.cpu.iter().map(|(_, seconds)| seconds).sum::<f64>() * 1e3 / each);
    report.add(figure(
        "cpu_ms.all",
        "CPU an event, all processes",
        "ms",
        sums,
    ));
    let statements = parts(&|taken| taken.costs.statements / each);
    report.add(figure("statements", "statements an event", "", statements));
    let wal = parts(&|taken| taken.wal / each);
    report.add(figure("wal_bytes", "WAL an event", "bytes", wal));
}

async fn drain(stack: &mut Stack, load: Load) -> Taken {
    for unit in Unit::CONSUMERS {
        stack.stop(unit, Duration::from_secs(15)).await;
    }
    let wanted = stack.comm.count("communications_notification").await + EVENTS as i64;
    let messages = messages(load);
    publish(stack, &messages).await;
    insert_users(stack, &messages).await;
    // The figures do not hold what PostgreSQL does after a bulk load.
    for (_, database) in stack.databases() {
        database.run("vacuum analyze").await;
    }
    let cpu = Cpu::of(stack).await;
    stack.spawn(&Unit::CONSUMERS);
    let began = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let mut before = cpu.now(stack);
    before.retain(|process, _| !process.ends_with("Consumer"));
    let costs = costs(stack).await;
    let wal = wal(stack).await;
    let channel = stack.vhost.channel().await;
    eventually(Duration::from_secs(120), "all are welcomed", async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // The depths of the queues cost little to ask for, a count of the rows does not.
        for queue in [PROFILE.queue.name, COMM.queue.name, AUTH.queue.name] {
            if depth(&channel, queue).await > 0 {
                return false;
            }
        }
        let linked = stack
            .auth
            .is("not exists (select from users_user where profile_id is null)");
        linked.await && stack.comm.count("communications_notification").await >= wanted
    })
    .await;
    let taken = Taken {
        seconds: last_commit(&stack.comm, "communications_notification").await
            - began.as_secs_f64(),
        auth_behind: last_commit(&stack.auth, "users_user").await
            - last_commit(&stack.comm, "communications_notification").await,
        cpu: cpu::used(&before, &cpu.now(stack)),
        costs: self::costs(stack).await - costs,
        wal: self::wal(stack).await - wal,
    };
    assert_exact(stack, wanted, load).await;
    taken
}

async fn assert_exact(stack: &Stack, wanted: i64, load: Load) {
    let welcomes = stack.comm.count("communications_notification").await;
    assert_eq!(welcomes, wanted, "one welcome each");
    if load != Load::Alternating {
        let missing = "profiles_account a
             where not exists (select from profiles_student s where s.user_id = a.user_id)
               and not exists (select from profiles_encadrant e where e.user_id = a.user_id)";
        assert_eq!(stack.profile.count(missing).await, 0, "one profile each");
    }
    for (_, database) in stack.databases() {
        assert_eq!(database.count("parked_event").await, 0, "nothing parked");
    }
}

/// When the newest row of a table was committed, in seconds since 1970.
async fn last_commit(database: &test_support::Database, table: &str) -> f64 {
    let latest =
        format!("select max(extract(epoch from pg_xact_commit_timestamp(xmin))) from {table}");
    database.value(&latest).await.parse().unwrap()
}

async fn depth(channel: &Channel, queue: &str) -> u32 {
    let passive = lapin::options::QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let queue = channel
        .queue_declare(queue.into(), passive, Default::default())
        .await;
    queue.unwrap().message_count()
}

async fn costs(stack: &Stack) -> Costs {
    let mut sum = Costs::default();
    for (_, database) in stack.databases() {
        sum = sum + database.costs().await;
    }
    sum
}

async fn wal(stack: &Stack) -> f64 {
    let bytes = stack
        .auth
        .value("pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
        .await;
    bytes.parse().unwrap()
}

struct Message {
    key: &'static str,
    id: EventId,
    user_id: UserId,
    body: String,
}

fn messages(load: Load) -> Vec<Message> {
    (0..EVENTS)
        .flat_map(|i| {
            let user_id = UserId::new();
            let email = format!("{}@example.com", Uuid::new_v4().simple());
            match load {
                Load::Alternating if i % 2 == 0 => vec![message(
                    user_id,
                    &StudentCreated {
                        student_id: StudentId::new(),
                        user_id,
                        email,
                        ..StudentCreated::sample()
                    },
                )],
                Load::Alternating => vec![message(
                    user_id,
                    &EncadrantCreated {
                        encadrant_id: EncadrantId::new(),
                        user_id,
                        email,
                        ..EncadrantCreated::sample()
                    },
                )],
                Load::Plain | Load::Duplicates => {
                    let created = UserCreated {
                        user_id,
                        email,
                        ..UserCreated::sample()
                    };
                    let event = message(user_id, &created);
                    let copy = Message {
                        body: event.body.clone(),
                        ..event
                    };
                    let twice = load == Load::Duplicates && i % 4 == 0;
                    [Some(event), twice.then_some(copy)]
                        .into_iter()
                        .flatten()
                        .collect()
                }
            }
        })
        .collect()
}

fn message<E: Event>(user_id: UserId, event: &E) -> Message {
    let id = EventId::new();
    let source = if E::KEY.starts_with("auth.") {
        "auth-service"
    } else {
        "profile-service"
    };
    let meta = Meta {
        event_id: id,
        timestamp: Utc::now(),
        routing_key: E::KEY.into(),
        source: source.into(),
        correlation_id: Uuid::now_v7(),
        causation_id: None,
        aggregate_id: Some(event.aggregate_id()),
        aggregate_version: Some(1),
        schema_version: E::SCHEMA_VERSION,
        traceparent: None,
    };
    Message {
        key: E::KEY,
        id,
        user_id,
        body: envelope::encode(&meta, event).unwrap(),
    }
}

async fn publish(stack: &Stack, messages: &[Message]) {
    let channel = stack.vhost.channel().await;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    for chunk in messages.chunks(500) {
        let confirms = join_all(chunk.iter().map(async |message| {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_content_type("application/json".into())
                .with_message_id(message.id.to_string().into())
                .with_type(message.key.into());
            let options = BasicPublishOptions::default();
            let (key, body) = (message.key.into(), message.body.as_bytes());
            channel
                .basic_publish(EXCHANGE.into(), key, options, body, properties)
                .await
                .unwrap()
                .await
        }))
        .await;
        assert!(confirms.into_iter().all(|confirm| confirm.is_ok()));
    }
}

/// auth-service records the profiles of users that it has.
async fn insert_users(stack: &Stack, messages: &[Message]) {
    let ids: Vec<Uuid> = messages
        .iter()
        .map(|message| message.user_id.as_uuid())
        .collect();
    // auth-service takes no profile of another role than the user's.
    let role = |message: &Message| match message.key {
        EncadrantCreated::KEY => Role::Encadrant.as_str(),
        _ => Role::Student.as_str(),
    };
    let roles: Vec<&str> = messages.iter().map(role).collect();
    sqlx::query(
        "insert into users_user (id, email, password_hash, role)
         select id, id || '@example.com', 'none', role from unnest($1::uuid[], $2::text[]) as new (id, role)
         on conflict do nothing",
    )
    .bind(&ids)
    .bind(&roles)
    .execute(&stack.auth.pool)
    .await
    .unwrap();
}
