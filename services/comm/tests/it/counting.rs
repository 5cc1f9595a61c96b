//! The counts and positions of inboxes, whoever writes.

use crate::{
    changing::post,
    inbox::{LIST, add_notices, path, welcomed},
};
use events::{Role, StudentId, UserId};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, Unit, User, eventually, stack::Links};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(30);
/// Inboxes whose counts are not those of their rows.
pub(crate) const WRONG: &str = "communications_inbox as inbox where (unread, total) <> (
    select count(*) filter (where read_at is null), count(*) from communications_notification as row
    where row.user_id = inbox.user_id and archived_at is null and deleted_at is null)";

async fn changes(stack: &Stack, user: &User, known: &Value) -> Value {
    let (epoch, seq) = (known["epoch"].as_str().expect("an epoch"), &known["seq"]);
    let path = format!("{LIST}changes/?epoch={epoch}&since={seq}");
    let response = stack.client.get(&path, user).await;
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

async fn now(stack: &Stack, user: &User) -> Value {
    stack
        .client
        .get(&format!("{LIST}changes/"), user)
        .await
        .body
}

#[tokio::test]
async fn notifications_from_before_there_were_inboxes_are_counted() {
    let stack = Stack::start().await;
    let (user, notice) = welcomed(&stack, Role::Student).await;
    add_notices(&stack, &user, 5).await;
    // As the version before has left them.
    stack
        .comm
        .run("alter table communications_notification disable trigger user")
        .await;
    stack
        .comm
        .run("update communications_notification set changed_seq = null")
        .await;
    stack.comm.run("delete from communications_inbox").await;
    stack
        .comm
        .run("alter table communications_notification enable trigger user")
        .await;
    let before = now(&stack, &user).await;
    assert_eq!((&before["seq"], &before["unread"]), (&json!(0), &json!(6)));
    let read = post(&stack, &user, &path(&notice, "read/"), None).await;
    assert_eq!(read.status, 200);
    let changed = changes(&stack, &user, &before).await;
    assert_eq!(
        (&changed["seq"], &changed["unread"]),
        (&json!(1), &json!(5))
    );
    assert_eq!(changed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(stack.comm.count(WRONG).await, 0);
}

#[tokio::test]
async fn what_a_process_of_the_version_before_writes_is_counted_and_announced() {
    let stack = Stack::start().await;
    let (user, notice) = welcomed(&stack, Role::Student).await;
    let (other, _) = welcomed(&stack, Role::Student).await;
    let before = now(&stack, &user).await;
    // Its three statements, of which the first one meets a conflict as well.
    let insert = format!(
        "insert into communications_notification
             (id, user_id, kind, source_event, type, title, content, related_object_type)
         select gen_random_uuid(), user_id, kind, gen_random_uuid(), 'system', 'a title', '', 'student'
         from (values ('{0}'::uuid, 'welcome'), ('{0}', 'test'), ('{0}', 'test'), ('{1}', 'test'))
             as new (user_id, kind)
         on conflict do nothing",
        user.user_id, other.user_id
    );
    assert_eq!(stack.comm.run(&insert).await, 3);
    let inserted = changes(&stack, &user, &before).await;
    assert_eq!(
        (
            &inserted["unread"],
            inserted["items"].as_array().map(Vec::len)
        ),
        (&json!(3), Some(2))
    );
    let id = notice["id"].as_str().unwrap();
    let read = format!(
        "update communications_notification set read_at = coalesce(read_at, now())
         where user_id = '{}' and id = '{id}'",
        user.user_id
    );
    stack.comm.run(&read).await;
    stack.comm.run(&read).await;
    let seen = changes(&stack, &user, &inserted).await;
    assert_eq!(
        (&seen["unread"], &seen["items"][0]["id"]),
        (&json!(2), &notice["id"])
    );
    let erase = format!(
        "delete from communications_notification where user_id = '{}'",
        user.user_id
    );
    stack.comm.run(&erase).await;
    let erased = changes(&stack, &user, &seen).await;
    assert_eq!(
        (&erased["type"], &erased["unread"]),
        (&json!("reset"), &json!(0))
    );
    assert_eq!(stack.comm.count(WRONG).await, 0);
}

#[tokio::test]
async fn a_client_is_told_to_load_anew_when_its_position_says_nothing() {
    let stack = Stack::start().await;
    let (user, _) = welcomed(&stack, Role::Student).await;
    let known = now(&stack, &user).await;
    assert_eq!(changes(&stack, &user, &known).await["type"], "changes");
    let ahead = json!({"epoch": known["epoch"], "seq": 99});
    assert_eq!(changes(&stack, &user, &ahead).await["type"], "reset");
    let foreign = json!({"epoch": Uuid::now_v7().simple().to_string(), "seq": 1});
    assert_eq!(changes(&stack, &user, &foreign).await["type"], "reset");

    stack
        .comm
        .run("update communications_inbox set seq = 10, purged_seq = 5")
        .await;
    let old = json!({"epoch": known["epoch"], "seq": 4});
    assert_eq!(changes(&stack, &user, &old).await["type"], "reset");
    let new = json!({"epoch": known["epoch"], "seq": 5});
    assert_eq!(changes(&stack, &user, &new).await["type"], "changes");

    // As a restore by hand leaves it: the name that was noted is of another database.
    stack
        .comm
        .run("update communications_epoch set database = 'another'")
        .await;
    let reset = changes(&stack, &user, &new).await;
    assert_eq!(
        (&reset["type"], &reset["items"]),
        (&json!("reset"), &json!([]))
    );
    assert_ne!(reset["epoch"], known["epoch"]);
    assert_eq!(changes(&stack, &user, &reset).await["type"], "changes");
}

async fn publish(stack: &Stack, key: &str, payload: Value) {
    let meta = json!({"event_id": Uuid::now_v7(), "source": "core-service"});
    let body = json!({"payload": payload, "_meta": meta}).to_string();
    stack.vhost.publish(key, body).await;
}

#[tokio::test]
async fn two_consumers_over_alternating_kinds_for_the_same_users_meet_no_deadlock() {
    const USERS: usize = 16;
    const EVENTS: usize = 6_000;
    const BATCH: usize = 256;
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::CommConsumer]).await;
    let mut students = Vec::new();
    for _ in 0..USERS {
        let (user_id, student_id) = (UserId::new(), StudentId::new());
        let student = json!({"user_id": user_id, "student_id": student_id});
        publish(&stack, "student.created", student).await;
        students.push(student_id);
    }
    eventually(SOON, "all are welcomed", async || {
        stack.comm.count("communications_notification").await == USERS as i64
    })
    .await;
    stack
        .stop(Unit::CommConsumer, Duration::from_secs(15))
        .await;
    for number in 0..EVENTS {
        let kind = number % 2;
        // One half of the users for each kind, and the other half after a batch: without an order across the kinds, two
        // consumers lock the halves crosswise.
        let half = (kind + number / BATCH) % 2 * USERS / 2;
        let student_id = students[half + number / 2 % (USERS / 2)];
        let stage = json!({"student_id": student_id, "stage_id": Uuid::now_v7()});
        publish(&stack, ["stage.started", "stage.accepted"][kind], stage).await;
    }
    let mut second = stack.replica(Unit::CommConsumer).await;
    stack.spawn(&[Unit::CommConsumer]);
    eventually(Duration::from_secs(60), "all are notified", async || {
        stack.comm.count("communications_notification").await == (USERS + EVENTS) as i64
    })
    .await;
    // PostgreSQL adds up what a connection has met when the connection ends, at the latest.
    stack
        .stop(Unit::CommConsumer, Duration::from_secs(15))
        .await;
    second.stop(Duration::from_secs(15)).await;
    let connections =
        "pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                       and application_name like 'comm-service%'";
    eventually(SOON, "the connections have ended", async || {
        stack.comm.count(connections).await == 0
    })
    .await;
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(stack.comm.value(deadlocks).await, "0");
    assert_eq!(stack.comm.count(WRONG).await, 0);
}
