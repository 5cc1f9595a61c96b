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
    Process, Stack, Unit,
    client::{REGISTER, newcomer},
    eventually,
    process::is_ready,
    stack::Links,
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

#[tokio::test]
async fn the_minimum_length_is_a_setting_that_the_document_tells() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.set("PASSWORD_MIN_LENGTH", "15");
    stack.start_units(&[Unit::Auth]).await;
    let mut body = newcomer(Role::Student);
    for (password, status) in [("Fjord7-kettle!", 400), ("Fjord7-kettle!!", 201)] {
        body["password"] = json!(password);
        let response = stack.client.post(REGISTER, &body).await;
        assert_eq!(response.status, status, "{password}");
        if status == 400 {
            let reasons = &response.body["errors"]["password"];
            assert_eq!(*reasons, json!(["Use at least 15 characters."]));
        }
    }
    let document = stack.client.url("/auth/api/docs/openapi.json");
    let document = reqwest::get(document).await.expect("the API answers");
    let document: serde_json::Value = document.json().await.expect("a document");
    let password = &document["components"]["schemas"]["Registration"]["properties"]["password"];
    assert_eq!(password["minLength"], 15);

    let environment = [
        ("DATABASE_URL", stack.auth.url.clone()),
        ("PASSWORD_MIN_LENGTH", "15".to_owned()),
    ];
    let create = ["create-admin", "--email", "root@example.com"];
    let file = std::env::temp_dir().join(format!("password-{}", uuid::Uuid::new_v4()));
    std::fs::write(&file, "Fjord7-kettle!").expect("the directory is writable");
    let file = file.to_str().expect("it is UTF-8");
    let arguments = [&create[..], &["--password-file", file]].concat();
    let mut refused = Process::start("auth-service", &arguments, &environment);
    refused.line("Use at least 15 characters").await;
    assert!(!refused.exit(Duration::from_secs(10)).await.success());
    std::fs::remove_file(file).expect("it is there");

    let weaker = [("PASSWORD_MIN_LENGTH", "11".to_owned())];
    let refused = Process::start("auth-service", &["serve"], &weaker);
    refused.line("write a number from 12 to 64").await;
}
