//! What has no effect: a refused registration, an admin, an unknown key. And what a broker and a schema look like.

use events::{Role, UserId, topology::queues};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Stack, Unit,
    client::{REGISTER, newcomer},
    eventually,
};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn refusals_admins_and_unknown_keys_have_no_effect() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    let events = "outbox where routing_key = 'auth.user.created'";

    // A registration that fails publishes no event.
    let taken = newcomer(Role::Student);
    assert_eq!(stack.client.post(REGISTER, &taken).await.status, 201);
    let invalid = json!({"email": "no address", "password": "short", "role": "student"});
    let mut admin = taken.clone();
    admin["email"] = json!("root@example.com");
    admin["role"] = json!("admin");
    for (body, status) in [(&taken, 409), (&invalid, 400), (&admin, 403)] {
        let response = stack.client.post(REGISTER, body).await;
        assert_eq!(response.status, status, "{}", response.body);
        assert!(response.body["code"].is_string(), "{}", response.body);
    }
    assert_eq!(stack.auth.count(events).await, 1);
    assert_eq!(stack.auth.count("users_user").await, 1);

    // An admin gets no profile and no welcome; an unknown key has no handler. The events behind them are handled.
    let foreign = |key: &str, payload: Value| {
        let meta = json!({"timestamp": "2025-12-13T19:27:02.415000Z", "routing_key": key, "source": "auth-service"});
        json!({"payload": payload, "_meta": meta}).to_string()
    };
    let person = |role: &str| json!({"user_id": UserId::new(), "email": "x@example.com", "first_name": "X", "last_name": "Y", "role": role});
    let key = "auth.user.created";
    stack
        .vhost
        .publish(key, foreign(key, person("admin")))
        .await;
    stack
        .vhost
        .publish("student.exploded", foreign("student.exploded", json!({})))
        .await;
    stack
        .vhost
        .publish(key, foreign(key, person("student")))
        .await;
    eventually(SOON, "two students are welcomed", async || {
        stack.comm.count("communications_notification").await == 2
    })
    .await;
    let line = stack
        .process(Unit::CommConsumer)
        .line("No handler for routing key: student.exploded")
        .await;
    assert!(line.contains("WARN"), "{line}");
    assert_eq!(stack.profile.count("profiles_student").await, 2);
    assert_eq!(stack.profile.count("profiles_encadrant").await, 0);
    assert_eq!(
        stack.profile.count("inbox").await,
        3,
        "the admin's event was handled"
    );
    for queue in queues() {
        eventually(SOON, "queues are empty", async || {
            stack.vhost.depth(queue.name).await == Some(0)
        })
        .await;
        assert_eq!(stack.vhost.depth(queue.crashed).await, Some(0));
    }
    // The unknown key is kept, because a later version may have a handler.
    for (database, kept) in [(&stack.auth, 0), (&stack.profile, 0), (&stack.comm, 1)] {
        assert_eq!(database.count("parked_event").await, kept);
        let unknown = "parked_event where state = 'dead' and kind = 'unknown_key'";
        assert_eq!(database.count(unknown).await, kept);
    }

    assert_topology(
        &stack.vhost.inspect("exchanges").await,
        &stack.vhost.inspect("queues").await,
    );
    assert_schema_is_commented(&stack).await;
}

/// The exchange and the queues survive a restart of the broker.
fn assert_topology(exchanges: &Value, queues: &Value) {
    let named = |list: &Value, name: &str| -> Value {
        let list = list.as_array().expect("a list");
        list.iter()
            .find(|item| item["name"] == name)
            .unwrap_or_else(|| panic!("no {name}"))
            .clone()
    };
    let exchange = named(exchanges, "events.topic");
    assert_eq!(
        (&exchange["type"], &exchange["durable"]),
        (&json!("topic"), &json!(true))
    );
    assert_eq!(
        exchange["arguments"],
        json!({}),
        "a foreign publisher declares it without arguments"
    );
    for queue in ["auth.events", "profile.events", "comm.events"] {
        let declared = named(queues, queue);
        assert_eq!(
            (&declared["type"], &declared["durable"]),
            (&json!("quorum"), &json!(true)),
            "{queue}"
        );
        assert_eq!(declared["arguments"]["x-delivery-limit"], 20);
        assert_eq!(named(queues, &format!("{queue}.crashed"))["durable"], true);
    }
}

/// Each table and column has a comment.
async fn assert_schema_is_commented(stack: &Stack) {
    for (_, database) in stack.databases() {
        let uncommented = "pg_class join pg_attribute on attrelid = pg_class.oid
            where relnamespace = 'public'::regnamespace and relkind = 'r' and relname not like '\\_%'
              and attnum > 0 and not attisdropped
              and (col_description(attrelid, attnum) is null or obj_description(attrelid) is null)";
        assert_eq!(
            database.count(uncommented).await,
            0,
            "comment on each table and column"
        );
    }
}
