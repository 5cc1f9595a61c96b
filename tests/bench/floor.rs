//! What this machine can do at all: a commit, a message, a hash.

use crate::report::{Figure, PARTS, Report, add_times, by_parts};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use futures_util::StreamExt as _;
use lapin::{
    BasicProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use std::{
    thread::{self, available_parallelism},
    time::{Duration, Instant},
};
use test_support::Stack;
use uuid::Uuid;

pub(crate) const ROUNDS: usize = 300;
/// Between two rounds. Cores and threads that have gone to sleep are part of what a machine can do for one user.
pub(crate) const PACE: Duration = Duration::from_millis(20);
/// How long a ceiling of hashes is measured.
const HASHING: Duration = Duration::from_secs(2);

/// Measures the floor of the chain: three commits and two hops. Returns its parts, in milliseconds.
pub(crate) async fn measure(stack: &Stack, report: &mut Report) -> Vec<f64> {
    let commits = one_row_commits(stack).await;
    let hops = publish_to_deliver(stack).await;
    add_times(report, "commit", "this machine: one-row commit", &commits);
    add_times(report, "hop", "this machine: publish to deliver", &hops);
    let floor: Vec<f64> = by_parts(&commits, 0.5)
        .into_iter()
        .zip(by_parts(&hops, 0.5))
        .map(|(commit, hop)| 3.0 * commit + 2.0 * hop)
        .collect();
    let about = "the floor of the chain: 3 commits and 2 hops";
    report.add(Figure::of_parts("floor_p50_ms", about, "ms", floor.clone()));
    let hashes: Vec<f64> = (0..PARTS * 10)
        .scan(Memory::new(), |memory, _| {
            Some(memory.hash().as_secs_f64() * 1e3)
        })
        .collect();
    let about = "this machine: one password hash with reused memory, p50";
    report.add(Figure::of_parts(
        "hash.p50_ms",
        about,
        "ms",
        by_parts(&hashes, 0.5),
    ));
    let fresh: Vec<f64> = (0..PARTS * 10)
        .map(|_| {
            let began = Instant::now();
            Memory::new().hash();
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let about = "this machine: one password hash with fresh memory, p50";
    report.add(Figure::of_parts(
        "hash.fresh_p50_ms",
        about,
        "ms",
        by_parts(&fresh, 0.5),
    ));
    floor
}

/// Hashes a second with one thread for each core, each with its own memory.
pub(crate) fn hash_ceiling() -> f64 {
    let cores = available_parallelism().unwrap().get();
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            thread::spawn(|| {
                let mut memory = Memory::new();
                memory.hash();
                let (began, mut count) = (Instant::now(), 0.0);
                while began.elapsed() < HASHING {
                    memory.hash();
                    count += 1.0;
                }
                count / began.elapsed().as_secs_f64()
            })
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum()
}

/// The memory of auth-service's hashes.
struct Memory(Vec<Block>);

impl Memory {
    fn new() -> Self {
        // As auth-service does it: over 32 MiB, so that the system's allocator maps it and gives it back.
        let mut blocks = Vec::with_capacity(33 * 1024 * 1024 / Block::SIZE);
        blocks.resize(Params::default().block_count(), Block::default());
        Self(blocks)
    }

    fn hash(&mut self) -> Duration {
        let began = Instant::now();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default());
        let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
        argon2
            .hash_password_into_with_memory(
                b"SecurePass123!",
                b"sixteen byte salt",
                &mut out,
                &mut self.0,
            )
            .unwrap();
        began.elapsed()
    }
}

async fn one_row_commits(stack: &Stack) -> Vec<f64> {
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
    samples
}

async fn publish_to_deliver(stack: &Stack) -> Vec<f64> {
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
    samples
}
