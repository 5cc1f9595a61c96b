//! Notifications that administrators write.

use crate::inbox::{LIST, welcomed};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Signer, Stack, User, client::Answer, eventually};
use uuid::Uuid;

/// A user whose token says that the user is an administrator.
pub(crate) async fn administrator(stack: &Stack) -> User {
    let user = stack.client.register(Role::Student).await;
    let token = Signer::of(&stack.auth)
        .await
        .with(&user.token, "role", "admin");
    User { token, ..user }
}

async fn create(stack: &Stack, by: &User, body: &Value, key: Option<Uuid>) -> Answer {
    let request = reqwest::Client::new()
        .post(stack.client.url(LIST))
        .json(body);
    let request = match key {
        Some(key) => request.header("Idempotency-Key", key.to_string()),
        None => request,
    };
    let response = request
        .bearer_auth(&by.token)
        .send()
        .await
        .expect("an answer");
    let status = response.status().as_u16();
    let body = response.json().await.expect("JSON");
    Answer { status, body }
}

#[tokio::test]
async fn an_administrator_notifies_a_user_and_a_repeat_notifies_once() {
    let stack = Stack::start().await;
    let (user, _) = welcomed(&stack, Role::Student).await;
    let admin = administrator(&stack).await;
    let notice = json!({"user_id": user.user_id, "type": "system", "title": " Documents are missing ",
                        "metadata": {"document": "insurance"}});
    let key = Some(Uuid::now_v7());
    let (first, again) = tokio::join!(
        create(&stack, &admin, &notice, key),
        create(&stack, &admin, &notice, key)
    );
    assert_eq!((first.status, again.status), (201, 201), "{}", first.body);
    assert_eq!(first.body, again.body);
    assert_eq!(first.body["title"], "Documents are missing");
    let list = stack.client.notifications(&user).await;
    assert_eq!((list.len(), &list[0]), (2, &first.body));
    let count = stack
        .client
        .get(&format!("{LIST}unread-count/"), &user)
        .await
        .body;
    assert_eq!(count["unread_count"], 2);

    let other = json!({"user_id": user.user_id, "title": "Something else"});
    let reused = create(&stack, &admin, &other, key).await;
    assert_eq!(
        (reused.status, &reused.body["code"]),
        (409, &json!("KEY_REUSED"))
    );
    let new = create(&stack, &admin, &other, None).await;
    assert_eq!(new.status, 201);
    assert_eq!(stack.client.notifications(&user).await.len(), 3);
}

#[tokio::test]
async fn only_an_administrator_notifies_and_only_a_user_who_is_known() {
    let stack = Stack::start().await;
    let (user, _) = welcomed(&stack, Role::Student).await;
    let (encadrant, _) = welcomed(&stack, Role::Encadrant).await;
    let admin = administrator(&stack).await;
    let notice = |user_id: Value| json!({"user_id": user_id, "title": "A title"});
    for other in [&user, &encadrant] {
        let refused = create(&stack, other, &notice(json!(user.user_id)), None).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (403, &json!("FORBIDDEN"))
        );
    }
    let key = Some(Uuid::now_v7());
    let unknown = create(&stack, &admin, &notice(json!(Uuid::now_v7())), key).await;
    assert_eq!(
        (unknown.status, &unknown.body["code"]),
        (404, &json!("NOT_FOUND"))
    );
    for wrong in [
        json!({"user_id": user.user_id, "title": " "}),
        json!({"user_id": user.user_id, "title": "A title", "type": "email"}),
        json!({"user_id": "x", "title": "A title"}),
        json!({"title": "A title"}),
        json!({"user_id": user.user_id, "title": "A title", "kind": "welcome"}),
    ] {
        let refused = create(&stack, &admin, &wrong, None).await;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.body);
    }
    assert_eq!(stack.client.notifications(&user).await.len(), 1);

    let password = json!({"current_password": test_support::client::PASSWORD});
    let me = "/auth/api/v1/users/me";
    let delete = stack
        .client
        .ask(Method::DELETE, me, Some(&user.token), Some(&password));
    assert_eq!(delete.await.expect("an answer").status, 204);
    eventually(Duration::from_secs(10), "the user is erased", async || {
        stack
            .comm
            .is("exists (select from communications_recipient where erased)")
            .await
    })
    .await;
    let deleted = create(&stack, &admin, &notice(json!(user.user_id)), None).await;
    assert_eq!(deleted.status, 404);
}
