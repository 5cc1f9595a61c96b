//! Events about users whose role changes.

use crate::fixture::SOON;
use events::{Role, UserId};
use serde_json::{Value, json};
use test_support::{Stack, Unit, eventually, stack::Links, vhost::Message};
use uuid::Uuid;

async fn consumer() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::ProfileConsumer]).await;
    stack
}

/// What auth-service publishes about a user: the role in each version, the first being the creation. The names say the
/// version.
struct Story<'a> {
    stack: &'a Stack,
    user_id: UserId,
    roles: &'a [Role],
}

impl Story<'_> {
    async fn publish(&self, version: usize) {
        let role = self.roles[version - 1];
        let name = format!("Version {version}");
        let mut payload = json!({"user_id": self.user_id, "email": format!("{}@example.com", self.user_id),
                                 "first_name": name, "last_name": name, "phone": null, "role": role});
        let before = (version > 1).then(|| self.roles[version - 2]);
        let key = match before {
            None => "auth.user.created",
            Some(before) if before == role => "auth.user.updated",
            Some(before) => {
                payload["old_role"] = json!(before);
                payload["new_role"] = json!(role);
                "auth.user.role_changed"
            }
        };
        let meta = json!({"event_id": self.event_id(version), "timestamp": "2026-01-05T10:00:00Z", "source": "auth-service",
                          "aggregate_version": version});
        let body = json!({"payload": payload, "_meta": meta}).to_string();
        self.stack.vhost.publish(key, body).await;
    }

    fn event_id(&self, version: usize) -> Uuid {
        Uuid::new_v5(&self.user_id.as_uuid(), version.to_string().as_bytes())
    }

    /// Waits until all events are handled and the profile of the last role counts, with the last names, and no other one.
    async fn ends(&self) {
        let (user_id, last) = (self.user_id, self.roles.len());
        let counts = |kind: &str| {
            let role = self.roles[last - 1];
            let not = if role.as_str() == kind { "" } else { "not" };
            format!(
                "{not} exists (select from profiles_{kind} where user_id = '{user_id}' and is_active
                               and first_name = 'Version {last}')"
            )
        };
        let ids: Vec<String> = (1..=last)
            .map(|version| format!("'{}'", self.event_id(version)))
            .collect();
        let end = format!(
            "(select count(*) from inbox where event_id in ({})) = {last} and {} and {}",
            ids.join(", "),
            counts("student"),
            counts("encadrant")
        );
        eventually(SOON, "the last role counts", async || {
            self.stack.profile.is(&end).await
        })
        .await;
    }
}

#[tokio::test]
async fn role_changes_in_any_order_end_in_the_last_role() {
    let stack = consumer().await;
    for roles in [
        [Role::Student, Role::Encadrant, Role::Encadrant],
        [Role::Student, Role::Encadrant, Role::Student],
        [Role::Encadrant, Role::Admin, Role::Student],
        [Role::Admin, Role::Student, Role::Admin],
    ] {
        for order in [[1, 2, 3], [1, 3, 2], [2, 3, 1], [3, 2, 1]] {
            let user_id = UserId::new();
            let (stack, roles) = (&stack, &roles);
            let story = Story {
                stack,
                user_id,
                roles,
            };
            for version in order {
                story.publish(version).await;
            }
            story.ends().await;
        }
    }
}

#[tokio::test]
async fn a_profile_that_does_not_count_follows_the_user_silently() {
    let stack = consumer().await;
    let tap = stack.vhost.tap("student.*").await;
    let user_id = UserId::new();
    let roles = [
        Role::Student,
        Role::Admin,
        Role::Admin,
        Role::Admin,
        Role::Student,
    ];
    let story = |roles| Story {
        stack: &stack,
        user_id,
        roles,
    };
    for version in 1..=4 {
        story(&roles).publish(version).await;
    }
    story(&roles[..4]).ends().await;
    // An operator has it announced again: there is nothing to announce.
    let announce =
        format!("insert into announcement (aggregate_id, at_least) values ('{user_id}', 0)");
    stack.profile.run(&announce).await;
    eventually(SOON, "it was announced", async || {
        stack.profile.count("announcement").await == 0
    })
    .await;
    story(&roles).publish(5).await;
    story(&roles).ends().await;

    let is_last = |event: &Message| event.json()["payload"]["first_name"] == "Version 5";
    tap.hear(is_last).await;
    let said: Vec<Value> = tap
        .heard()
        .iter()
        .map(|event| {
            let (event, key) = (event.json(), &event.routing_key);
            let payload = &event["payload"];
            json!([
                key,
                payload["first_name"],
                payload["changes"],
                payload["is_active"]
            ])
        })
        .collect();
    let changes = json!(["first_name", "last_name", "is_active"]);
    assert_eq!(
        said,
        [
            json!(["student.created", "Version 1", null, null]),
            json!(["student.updated", "Version 2", changes, false]),
            json!(["student.created", "Version 5", null, null]),
        ]
    );
    let versions: Vec<i64> = tap
        .heard()
        .iter()
        .map(|event| {
            event.json()["_meta"]["aggregate_version"]
                .as_i64()
                .expect("a version")
        })
        .collect();
    assert!(
        versions.is_sorted_by(|one, next| one < next),
        "{versions:?}"
    );
}

#[tokio::test]
async fn a_user_without_a_recorded_role_has_the_role_of_the_profile() {
    let stack = consumer().await;
    let user_id = UserId::new();
    let roles = [Role::Student, Role::Student, Role::Encadrant];
    let story = |roles| Story {
        stack: &stack,
        user_id,
        roles,
    };
    story(&roles).publish(1).await;
    story(&roles[..1]).ends().await;
    // As a process of the last version wrote it.
    stack
        .profile
        .run("update profiles_account set role = null")
        .await;
    for last in [2, 3] {
        story(&roles).publish(last).await;
        story(&roles[..last]).ends().await;
    }
    assert_eq!(stack.profile.count("profiles_student").await, 1);
    assert_eq!(stack.profile.count("profiles_encadrant").await, 1);
}
