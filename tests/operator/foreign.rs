//! Publishers that count no versions, about a user of ours: nothing changes until an operator says so.

use crate::{SOON, said};
use events::{Role, UserId};
use serde_json::{Value, json};
use test_support::{Stack, User, eventually};

/// A message of a publisher that counts no versions.
async fn publish(stack: &Stack, key: &str, payload: Value) {
    let meta = json!({"timestamp": "2026-01-05T10:00:00Z", "source": "auth-service"});
    let body = json!({"payload": payload, "_meta": meta}).to_string();
    stack.vhost.publish(key, body).await;
}

/// A student whose profile all services have recorded.
async fn settled(stack: &Stack) -> (User, Value) {
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    let linked = format!(
        "exists (select from users_user where id = '{}' and profile_id is not null)",
        user.user_id
    );
    eventually(SOON, "the link", async || stack.auth.is(&linked).await).await;
    let profile = stack.client.get("/profile/api/me", &user).await.body;
    (user, profile)
}

async fn parked(stack: &Stack) -> [i64; 3] {
    let foreign =
        "parked_event where state = 'dead' and kind in ('foreign_deletion', 'foreign_change')";
    [
        stack.auth.count(foreign).await,
        stack.profile.count(foreign).await,
        stack.comm.count(foreign).await,
    ]
}

#[tokio::test]
async fn a_foreign_publisher_changes_nothing_about_a_user_of_ours_until_an_operator_replays_it() {
    let stack = Stack::start().await;
    let (user, profile) = settled(&stack).await;
    let user_id: UserId = user.user_id;
    publish(
        &stack,
        "auth.user.updated",
        json!({"user_id": user_id, "email": user.email, "first_name": "Stranger"}),
    )
    .await;
    publish(&stack, "auth.user.deleted", json!({"user_id": user_id})).await;
    publish(
        &stack,
        "student.deleted",
        json!({"user_id": user_id, "student_id": profile["id"]}),
    )
    .await;
    eventually(SOON, "all of it is parked", async || {
        parked(&stack).await == [1, 2, 2]
    })
    .await;
    let same = stack.client.get("/profile/api/me", &user).await.body;
    assert_eq!(same, profile);
    assert_eq!(stack.client.notifications(&user).await.len(), 1);
    let link = format!(
        "users_user where profile_id = '{}'",
        profile["id"].as_str().unwrap()
    );
    assert_eq!(stack.auth.count(&link).await, 1);

    said(
        &stack,
        "dead replay --service profile --cause foreign_change",
    )
    .await;
    eventually(SOON, "the change is applied", async || {
        stack.client.get("/profile/api/me", &user).await.body["first_name"] == "Stranger"
    })
    .await;
    said(
        &stack,
        "dead replay --service profile --cause foreign_deletion",
    )
    .await;
    eventually(SOON, "the deletion reaches every service", async || {
        stack.client.get("/profile/api/me", &user).await.status == 404
            && stack.client.notifications(&user).await.is_empty()
            && stack.auth.count(&link).await == 0
    })
    .await;
}
