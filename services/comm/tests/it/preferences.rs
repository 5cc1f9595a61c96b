//! What users want to be notified of.

use crate::inbox::{LIST, welcomed};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, User, client::Answer, eventually};
use uuid::Uuid;

const PATH: &str = "/comm/api/notifications/preferences/";

async fn put(stack: &Stack, user: &User, inbox: Value) -> Answer {
    let body = json!({"inbox": inbox});
    let token = Some(user.token.as_str());
    let response = stack.client.ask(Method::PUT, PATH, token, Some(&body));
    response.await.expect("an answer")
}

#[tokio::test]
async fn a_kind_that_is_switched_off_notifies_no_more_and_others_do() {
    let stack = Stack::start().await;
    let (user, welcome) = welcomed(&stack, Role::Student).await;
    let (other, _) = welcomed(&stack, Role::Student).await;
    let off = put(&stack, &user, json!({"stage.started": false})).await;
    assert_eq!(
        (off.status, &off.body["inbox"]["stage.started"]),
        (200, &json!(false))
    );
    assert_eq!(stack.client.get(PATH, &user).await.body, off.body);
    let of_other = stack.client.get(PATH, &other).await.body;
    assert_eq!(of_other["inbox"]["stage.started"], true);
    let export = stack.client.get("/comm/api/export", &user).await.body;
    assert_eq!(export["switched_off"], json!(["stage.started"]));

    let student_id = &welcome["related_object_id"];
    for key in ["stage.started", "stage.accepted"] {
        let payload = json!({"student_id": student_id, "stage_id": Uuid::now_v7()});
        let meta = json!({"event_id": Uuid::now_v7(), "source": "core-service"});
        let body = json!({"payload": payload, "_meta": meta}).to_string();
        stack.vhost.publish(key, body).await;
    }
    let handled = "inbox where routing_key like 'stage.%'";
    eventually(Duration::from_secs(10), "both are handled", async || {
        stack.comm.count(handled).await == 2
    })
    .await;
    let list = stack.client.notifications(&user).await;
    let titles: Vec<_> = list.iter().map(|notice| notice["title"].as_str()).collect();
    assert_eq!(
        titles,
        [Some("Stage Accepted!"), Some("Welcome to MedTrack!")]
    );
    let count = stack
        .client
        .get(&format!("{LIST}unread-count/"), &user)
        .await
        .body;
    assert_eq!(count["unread_count"], 2);

    let on = put(&stack, &user, json!({})).await;
    assert_eq!(on.body["inbox"]["stage.started"], true);
}

#[tokio::test]
async fn what_is_mandatory_or_unknown_cannot_be_switched_off() {
    let stack = Stack::start().await;
    let user = stack.client.register(Role::Student).await;
    let all = stack.client.get(PATH, &user).await.body;
    let mandatory = all["mandatory"].as_array().expect("a list");
    assert!(!mandatory.is_empty());
    for kind in mandatory {
        let kind = kind.as_str().expect("a name");
        let refused = put(&stack, &user, json!({kind: false, "stage.started": false})).await;
        assert_eq!(refused.status, 400, "{kind}");
        let errors = refused.body["errors"]["inbox"][0]
            .as_str()
            .expect("a message");
        assert_eq!(
            errors,
            format!("{kind} is mandatory: it cannot be switched off.")
        );
        assert_eq!(put(&stack, &user, json!({kind: true})).await.status, 200);
    }
    for wrong in [
        json!({"no.such.kind": false}),
        json!({"stage.started": 0}),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(
            put(&stack, &user, wrong.clone()).await.status,
            400,
            "{wrong}"
        );
    }
    assert_eq!(stack.client.get(PATH, &user).await.body, all);
}
