//! What is deleted when its time has ended.

use crate::{
    changing::post,
    counting::WRONG,
    inbox::{LIST, path, welcomed},
};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use test_support::{Stack, Unit, User, eventually, stack::Links};

const SOON: Duration = Duration::from_secs(30);

async fn changes(stack: &Stack, user: &User, known: &Value) -> Value {
    let (epoch, seq) = (known["epoch"].as_str().expect("an epoch"), &known["seq"]);
    let path = format!("{LIST}changes/?epoch={epoch}&since={seq}");
    stack.client.get(&path, user).await.body
}

#[tokio::test]
async fn old_notifications_are_deleted_as_their_users_would_delete_them() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth, Unit::Comm]).await;
    let user = stack.client.register(Role::Student).await;
    let known = stack
        .client
        .get(&format!("{LIST}changes/"), &user)
        .await
        .body;
    stack.stop(Unit::Comm, Duration::from_secs(15)).await;
    // The ids are of 2023. The name says how many days ago it was written, and read.
    for (number, written, read) in [
        (1, 500, Some(401)),
        (2, 500, Some(399)),
        (3, 801, None),
        (4, 799, None),
        (5, 900, Some(450)),
    ] {
        let read = read.map_or("null".to_owned(), |days| {
            format!("now() - interval '{days} days'")
        });
        let insert = format!(
            "insert into communications_notification
                 (id, user_id, kind, source_event, type, title, content, created_at, read_at, archived_at)
             values ('01860000-0000-7000-8000-00000000000{number}', '{}', 'test', gen_random_uuid(), 'system',
                     '{number}', '', now() - interval '{written} days', {read}, {})",
            user.user_id,
            if number == 5 { "now()" } else { "null" },
        );
        stack.comm.run(&insert).await;
    }
    stack.start_units(&[Unit::Comm]).await;
    eventually(SOON, "three are deleted", async || {
        stack
            .comm
            .count("communications_notification where deleted_at is not null")
            .await
            == 3
    })
    .await;
    let after = changes(&stack, &user, &known).await;
    let gone = after["gone"].as_array().expect("a list");
    let gone: BTreeSet<_> = gone
        .iter()
        .map(|id| id.as_str().expect("an id").chars().last())
        .collect();
    assert_eq!(gone, BTreeSet::from([Some('1'), Some('3'), Some('5')]));
    let titles: BTreeSet<_> = after["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["title"].as_str().expect("a title"))
        .collect();
    assert_eq!(titles, BTreeSet::from(["2", "4"]));
    assert_eq!(after["unread"], 1);
    assert_eq!(stack.comm.count(WRONG).await, 0);
}

#[tokio::test]
async fn of_a_deletion_the_text_goes_first_and_then_its_trace() {
    let stack = Stack::start().await;
    let (user, welcome) = welcomed(&stack, Role::Student).await;
    let add = format!(
        "insert into communications_notification (id, user_id, kind, source_event, type, title, content, metadata)
         values (gen_random_uuid(), '{}', 'test', gen_random_uuid(), 'system', 'Private', 'Private', '{{\"a\": 1}}')",
        user.user_id
    );
    stack.comm.run(&add).await;
    let list = stack.client.notifications(&user).await;
    let known = stack
        .client
        .get(&format!("{LIST}changes/"), &user)
        .await
        .body;
    for notice in &list {
        let token = Some(user.token.as_str());
        let deleted = stack
            .client
            .ask(Method::DELETE, &path(notice, ""), token, None)
            .await;
        assert_eq!(deleted.expect("an answer").status, 200);
    }
    let texts =
        "communications_notification where title <> '' or content <> '' or metadata <> '{}'";
    assert_eq!(stack.comm.count(texts).await, 2, "it can be restored");
    let age = "update communications_notification set deleted_at = now() - interval";
    stack.comm.run(&format!("{age} '11 minutes'")).await;
    eventually(SOON, "the texts are gone", async || {
        stack.comm.count(texts).await == 0
    })
    .await;
    assert_eq!(
        post(&stack, &user, &path(&list[0], "restore"), None)
            .await
            .status,
        404
    );
    let after = changes(&stack, &user, &known).await;
    assert_eq!(
        (&after["type"], after["gone"].as_array().map(Vec::len)),
        (&json!("changes"), Some(2))
    );

    stack.comm.run(&format!("{age} '91 days'")).await;
    eventually(SOON, "the trace is gone", async || {
        stack.comm.count("communications_notification").await == 1
    })
    .await;
    let rest = "select kind from communications_notification";
    assert_eq!(
        stack.comm.value(rest).await,
        "welcome",
        "so that it does not come again"
    );
    assert_eq!(changes(&stack, &user, &known).await["type"], "reset");
    assert_eq!(changes(&stack, &user, &after).await["type"], "changes");
    assert_eq!(welcome["title"], "Welcome to MedTrack!");
}
