//! `events replay`: what a service has missed is published again, once, and nothing is done twice.

use crate::{
    SOON, json_of, medtrack,
    reconcile::{published, purge, welcomed},
    said, text,
};
use events::{
    Role,
    topology::{COMM, EXCHANGE},
};
use serde_json::json;
use test_support::{Stack, Unit, User, client::PASSWORD, eventually};

/// Removes a binding of comm-service's queue.
pub(crate) async fn unbind(stack: &Stack, pattern: &str) {
    let channel = stack.vhost.channel().await;
    let unbind = channel.queue_unbind(
        COMM.queue.name.into(),
        EXCHANGE.into(),
        pattern.into(),
        lapin::types::FieldTable::default(),
    );
    unbind.await.expect("the queue exists");
}

/// Registers a user, and waits until the event of the profile is published.
pub(crate) async fn register(stack: &Stack, role: Role) -> User {
    let user = stack.client.register(role).await;
    let profile = format!(
        "exists (select from profiles_student where user_id = '{0}')
         or exists (select from profiles_encadrant where user_id = '{0}')",
        user.user_id
    );
    eventually(SOON, "the profile", async || {
        stack.profile.is(&profile).await
    })
    .await;
    published(&stack.profile).await;
    user
}

#[tokio::test]
async fn what_was_lost_with_a_binding_is_published_again_and_nothing_is_doubled() {
    let mut stack = Stack::start().await;
    let unharmed = register(&stack, Role::Student).await;
    welcomed(&stack, &unharmed).await;
    // While it runs, it binds its queue again.
    stack.stop(Unit::CommConsumer, SOON).await;
    unbind(&stack, "student.*").await;
    let first = register(&stack, Role::Student).await;
    let second = register(&stack, Role::Student).await;

    let replay = "events replay --since 10m --to comm";
    eventually(
        SOON,
        "it is refused while it would be lost again",
        async || {
            let refused = medtrack(&stack, replay).await;
            !refused.status.success()
                && text(&refused).contains("comm.events is not bound to student.*")
                && text(&refused).contains("try: ./medtrack topology apply")
        },
    )
    .await;
    said(&stack, "topology apply").await;
    let dry = eventually(SOON, "the broker tells of the binding", async || {
        let output = medtrack(&stack, &format!("{replay} --dry-run")).await;
        output.status.success().then(|| text(&output))
    })
    .await;
    let figures = "2 of 3 events of profile-service";
    assert!(
        dry.contains(&format!("{figures} would be published again")),
        "{dry}"
    );
    let unpublished = "outbox where published_at is null";
    assert_eq!(stack.profile.count(unpublished).await, 0, "a dry run");

    let done = said(&stack, replay).await;
    assert!(
        done.contains(&format!("{figures} are published again")),
        "{done}"
    );
    published(&stack.profile).await;
    stack.start_units(&[Unit::CommConsumer]).await;
    for user in [&first, &second, &unharmed] {
        welcomed(&stack, user).await;
    }
    let nothing = said(&stack, replay).await;
    assert!(
        nothing.contains("comm-service has missed nothing"),
        "{nothing}"
    );
    assert_eq!(stack.comm.count("communications_notification").await, 3);
    assert_eq!(stack.comm.count("inbox").await, 3);
    assert_eq!(
        stack.auth.count("inbox").await,
        3,
        "its copies had no effect"
    );
    assert_eq!(stack.auth.count("parked_event").await, 0);

    let trace = json_of(&stack, &format!("trace {} --json", first.user_id)).await;
    let mut events = trace["chains"][0]["events"]
        .as_array()
        .into_iter()
        .flatten();
    let event = events.find(|event| event["routing_key"] == "student.created");
    let event = event.unwrap_or_else(|| panic!("{trace:#}"));
    let at = |state: &str| {
        let mut hops = event["hops"].as_array().into_iter().flatten();
        let hop = hops.find(|hop| hop["state"] == state);
        hop.and_then(|hop| hop["milliseconds"].as_i64())
            .unwrap_or_else(|| panic!("{state}: {trace:#}"))
    };
    assert!(
        at("committed") + 1_000 < at("published"),
        "the trace tells when it was committed: {trace:#}"
    );
}

#[tokio::test]
async fn what_a_purged_queue_held_is_published_again_by_key_and_what_is_erased_is_counted() {
    let mut stack = Stack::start().await;
    stack.stop(Unit::CommConsumer, SOON).await;
    let student = register(&stack, Role::Student).await;
    let encadrant = register(&stack, Role::Encadrant).await;
    let leaves = register(&stack, Role::Student).await;
    let password = json!({"current_password": PASSWORD});
    let deleted = stack.client.ask(
        reqwest::Method::DELETE,
        "/auth/api/v1/users/me",
        Some(&leaves.token),
        Some(&password),
    );
    assert_eq!(deleted.await.expect("the API answers").status, 204);
    eventually(SOON, "the texts about the person are gone", async || {
        stack.profile.count("outbox where envelope is null").await == 1
    })
    .await;
    published(&stack.auth).await;
    published(&stack.profile).await;
    purge(&stack, COMM.queue.name).await;

    let by_key = "events replay --since 10m --to comm --json --key";
    let encadrants = json_of(&stack, &format!("{by_key} encadrant.*")).await;
    let producer = |service: &str, events: u64, published_again: u64, without_text: u64| {
        json!({"service": service, "events": events, "published_again": published_again,
               "without_text": without_text})
    };
    assert_eq!(
        encadrants["producers"],
        json!([
            producer("auth", 0, 0, 0),
            producer("profile", 1, 1, 0),
            producer("comm", 0, 0, 0)
        ])
    );
    stack.start_units(&[Unit::CommConsumer]).await;
    welcomed(&stack, &encadrant).await;
    assert!(stack.client.notifications(&student).await.is_empty());

    let rest = said(&stack, "events replay --since 10m --to comm").await;
    for expected in [
        "1 of 2 events of auth-service are published again",
        "2 of 4 events of profile-service are published again",
        "2 more have no text any more",
        "try: ./medtrack reconcile --fix",
    ] {
        assert!(rest.contains(expected), "{expected}: {rest}");
    }
    let row =
        "operator_audit where verb = 'publish_again' and detail = '2 events for comm-service'";
    assert_eq!(stack.profile.count(row).await, 1);
    welcomed(&stack, &student).await;
    eventually(SOON, "the deletion arrives", async || {
        stack
            .comm
            .count("communications_recipient where erased")
            .await
            == 1
    })
    .await;
    assert_eq!(stack.comm.count("communications_notification").await, 2);
}

#[tokio::test]
async fn a_replay_that_cannot_be_meant_is_refused_with_what_to_do() {
    let stack = Stack::start().await;
    for bad in [
        "--since yesterday --to comm",
        "--since 2999-01-01T00:00:00Z --to comm",
        "--since 1h --to grades",
        "--since 1h",
        "--to comm",
        "--since 1h --to comm --key auth.user.created",
    ] {
        let refused = medtrack(&stack, &format!("events replay {bad}")).await;
        let output = text(&refused);
        assert!(!refused.status.success(), "{bad}");
        assert!(
            output.contains("try") || output.contains("now it is"),
            "{bad}: {output}"
        );
    }
    let old = said(&stack, "events replay --since 4d --to comm").await;
    let kept_since = chrono::Utc::now() - chrono::TimeDelta::days(3);
    let day = kept_since.format("since %Y-%m-%d ").to_string();
    assert!(
        old.contains(&day),
        "what is not kept was not compared: {old}"
    );
    assert!(
        old.contains("more than 3 days ago is not kept")
            && old.contains("./medtrack reconcile --fix"),
        "{old}"
    );
    let kept = said(&stack, "events replay --since 3d --to comm").await;
    assert!(!kept.contains("reconcile"), "{kept}");
}
