//! What hashing costs the process: memory, and the time of others.

use crate::auth;
use events::Role;
use futures_util::future::{join, join_all};
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use test_support::{
    Unit,
    client::{REGISTER, newcomer},
    eventually,
    process::is_ready,
};

#[tokio::test]
async fn the_memory_of_hashes_is_used_again_and_given_back_when_no_one_registers() {
    let stack = auth().await;
    let process = stack.process(Unit::Auth);
    stack.client.register(Role::Student).await;
    // A hash needs 19 MiB, or 4,864 pages, each of which costs a page fault when it is fresh.
    let before = process.page_faults();
    for _ in 0..10 {
        stack.client.register(Role::Student).await;
    }
    let faults = process.page_faults() - before;
    assert!(faults < 10 * 4864 / 2, "{faults} page faults");

    join_all((0..8).map(|_| stack.client.register(Role::Student))).await;
    let peak = process.resident_mb();
    eventually(
        Duration::from_secs(5),
        "the memory is given back",
        async || process.resident_mb() < peak - 15.0,
    )
    .await;
}

#[tokio::test]
async fn a_probe_is_answered_while_passwords_are_judged() {
    const CLIENTS: usize = 40;
    let stack = auth().await;
    // As long as is judged, and nearly made of words: it takes long.
    let mut body = newcomer(Role::Student);
    body["password"] = json!("p4ssw0rdQw3rtyu10p1l0v3y0u2dr4g0n".repeat(4)[..100]);
    let judged = AtomicUsize::new(0);
    let judging = join_all((0..CLIENTS).map(async |_| {
        let answer = stack.client.post(REGISTER, &body).await;
        judged.fetch_add(1, Ordering::Relaxed);
        answer.status
    }));
    let probing = async {
        eventually(Duration::from_secs(10), "the first is judged", async || {
            judged.load(Ordering::Relaxed) > 0
        })
        .await;
        assert!(is_ready(stack.internal(Unit::Auth)).await);
        judged.load(Ordering::Relaxed)
    };
    let (statuses, judged_before_the_probe) = join(judging, probing).await;
    assert!(
        judged_before_the_probe < CLIENTS / 2,
        "{judged_before_the_probe} of {CLIENTS} passwords were judged first: {statuses:?}"
    );
}
