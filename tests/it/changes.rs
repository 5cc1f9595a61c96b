//! Changes and deletions, from the request to the last copy.

use events::Role;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use test_support::{Database, Message, Stack, User, client::PASSWORD, eventually};

const ME: &str = "/auth/api/v1/users/me";
const SOON: Duration = Duration::from_secs(10);

async fn welcomed(stack: &Stack, role: Role) -> User {
    let user = stack.client.register(role).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    user
}

#[tokio::test]
async fn a_change_of_the_user_reaches_the_profile_and_is_announced_once() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    for (role, kind) in [(Role::Student, "student"), (Role::Encadrant, "encadrant")] {
        let tap = stack.vhost.tap(&format!("{kind}.updated")).await;
        let user = welcomed(&stack, role).await;
        let change = json!({"first_name": "Zoë", "phone": "+33 1", "locale": "fr"});
        let response = stack
            .client
            .ask(Method::PATCH, ME, Some(&user.token), Some(&change))
            .await;
        assert_eq!(response.map(|response| response.status).ok(), Some(200));
        let profile = eventually(SOON, "the profile follows", async || {
            let profile = stack.client.get("/profile/api/me", &user).await.body;
            (profile["first_name"] == "Zoë").then_some(profile)
        })
        .await;
        assert_eq!(
            (&profile["phone"], &profile["email"]),
            (&json!("+33 1"), &json!(user.email))
        );
        let event = tap.hear(|_| true).await.json();
        assert_eq!(event["_meta"]["aggregate_version"], 2);
        assert_eq!(event["payload"][format!("{kind}_id")], profile["id"]);
        assert_eq!(
            event["payload"]["changes"],
            json!(["first_name", "phone", "locale"])
        );
        assert_eq!(event["payload"]["locale"], "fr");

        // A change that changes nothing is not announced.
        let same = json!({"locale": "fr"});
        let language = json!({"locale": "ar"});
        for change in [&same, &language] {
            let response = stack
                .client
                .ask(Method::PATCH, ME, Some(&user.token), Some(change))
                .await;
            assert_eq!(response.map(|response| response.status).ok(), Some(200));
        }
        let is_next = |message: &Message| message.json()["_meta"]["aggregate_version"] == 3;
        let event = tap.hear(is_next).await.json();
        assert_eq!(
            (&event["payload"]["changes"], &event["payload"]["locale"]),
            (&json!(["locale"]), &json!("ar"))
        );
        let handled = format!("exists (select from inbox where routing_key = '{kind}.updated')");
        eventually(SOON, "comm-service has a handler for it", async || {
            stack.comm.is(&handled).await
        })
        .await;
    }
    assert_eq!(
        stack.comm.count("communications_notification").await,
        2,
        "only the welcomes"
    );
}

#[tokio::test]
async fn erasure_leaves_nothing() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    for role in [Role::Student, Role::Encadrant] {
        let (leaves, stays) = (welcomed(&stack, role).await, welcomed(&stack, role).await);
        // Something about the user that could not be handled.
        let odd = json!({"payload": {"user_id": leaves.user_id, "email": leaves.email, "role": "king"}, "_meta": {}});
        stack
            .vhost
            .publish("auth.user.created", odd.to_string())
            .await;
        let dead = "exists (select from parked_event where state = 'dead')";
        eventually(SOON, "a dead event", async || stack.profile.is(dead).await).await;

        let password = json!({"current_password": PASSWORD});
        let response = stack
            .client
            .ask(Method::DELETE, ME, Some(&leaves.token), Some(&password))
            .await;
        assert_eq!(response.map(|response| response.status).ok(), Some(204));
        let of_user = format!("where user_id = '{}'", leaves.user_id);
        let count = async |database: &Database, table: &str| {
            database.count(&format!("{table} {of_user}")).await
        };
        eventually(SOON, "profile and notifications are gone", async || {
            count(&stack.profile, "profiles_student").await == 0
                && count(&stack.profile, "profiles_encadrant").await == 0
                && count(&stack.comm, "communications_notification").await == 0
        })
        .await;
        eventually(SOON, "all is published", async || {
            stack
                .profile
                .count("outbox where published_at is null")
                .await
                == 0
                && stack.auth.count("outbox where published_at is null").await == 0
        })
        .await;
        assert_no_trace(&stack, &leaves).await;
        assert_eq!(
            stack.client.get("/profile/api/me", &stays).await.status,
            200,
            "no other user is erased"
        );
        assert_eq!(stack.client.notifications(&stays).await.len(), 1);
    }
}

/// No table of any database contains the e-mail.
async fn assert_no_trace(stack: &Stack, user: &User) {
    for (_, database) in stack.databases() {
        let tables = database
            .value("select string_agg(table_name, ',') from information_schema.tables where table_schema = 'public'")
            .await;
        for table in tables.split(',') {
            let row = if table == "parked_event" {
                "convert_from(body, 'UTF8') || parked_event::text"
            } else {
                "t::text"
            };
            let alias = if table == "parked_event" { "" } else { "as t" };
            let traces = format!(
                "{table} {alias} where position('{}' in {row}) > 0",
                user.email
            );
            assert_eq!(database.count(&traces).await, 0, "{table}");
        }
    }
}
