//! Changes of roles, from the administrator's request to the last copy.

use crate::authorisation::people::{admin, log_in};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, User, eventually};

const SOON: Duration = Duration::from_secs(10);
const PROFILE: &str = "/profile/api/me";
const USER: &str = "/auth/api/v1/users/me";

/// Gives a user another role, and returns the user's next session, with what profile-service answers.
async fn change_role(stack: &Stack, admin: &User, user: &User, role: Role) -> (User, Value) {
    let path = format!("/auth/api/v1/users/{}", user.user_id);
    let body = json!({"role": role});
    let changed = stack
        .client
        .ask(Method::PATCH, &path, Some(&admin.token), Some(&body));
    let changed = changed.await.expect("an answer");
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["profile_id"], Value::Null, "not known yet");
    let user = log_in(stack, &user.email).await;
    let profile = eventually(SOON, "the profile of the role", async || {
        let profile = stack.client.get(PROFILE, &user).await;
        let linked = stack.client.get(USER, &user).await.body["profile_id"].clone();
        let is_there = match role {
            Role::Admin => profile.status == 404,
            Role::Student | Role::Encadrant => {
                profile.status == 200 && linked == profile.body["id"]
            }
        };
        is_there.then_some(profile.body)
    })
    .await;
    (user, profile)
}

#[tokio::test]
async fn each_role_has_its_profile_and_one_welcome_and_a_profile_returns_with_its_role() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    let admin = admin(&stack).await;
    let mut user = stack.client.register(Role::Student).await;
    let first = eventually(SOON, "a profile", async || {
        let profile = stack.client.get(PROFILE, &user).await;
        (profile.status == 200).then_some(profile.body)
    })
    .await;
    let own = json!({"university": "Oran"});
    let own = stack
        .client
        .ask(Method::PATCH, PROFILE, Some(&user.token), Some(&own));
    assert_eq!(own.await.expect("an answer").status, 200);

    let mut encadrant = Value::Null;
    for role in [
        Role::Encadrant,
        Role::Student,
        Role::Encadrant,
        Role::Admin,
        Role::Student,
    ] {
        let profile;
        (user, profile) = change_role(&stack, &admin, &user, role).await;
        match role {
            Role::Student => {
                assert_eq!(profile["id"], first["id"]);
                assert_eq!(profile["university"], "Oran", "the own fields have stayed");
            }
            Role::Encadrant if encadrant.is_null() => encadrant = profile["id"].clone(),
            Role::Encadrant => assert_eq!(profile["id"], encadrant),
            Role::Admin => {}
        }
        let is = |one: Role| Some(usize::from(role == one));
        let expected = [is(Role::Student), is(Role::Encadrant)];
        eventually(SOON, "the lists have the profile of the role", async || {
            let students = stack.client.get("/profile/api/students/", &admin).await;
            let encadrants = stack.client.get("/profile/api/encadrants/", &admin).await;
            [students, encadrants].map(|list| list.body.as_array().map(Vec::len)) == expected
        })
        .await;
    }

    eventually(SOON, "two welcomes", async || {
        stack.client.notifications(&user).await.len() == 2
    })
    .await;
    let handled = "(select count(*) from inbox where routing_key in ('student.created', 'encadrant.created')) = 5";
    eventually(SOON, "comm-service has handled all", async || {
        stack.comm.is(handled).await
    })
    .await;
    assert_eq!(stack.client.notifications(&user).await.len(), 2);
    let announced = "(select jsonb_object_agg(routing_key, n) from (
        select routing_key, count(*) as n from outbox group by routing_key) as counted)
        = '{\"student.created\": 3, \"student.updated\": 3, \"encadrant.created\": 2, \"encadrant.updated\": 2}'";
    assert!(stack.profile.is(announced).await, "each change once");
}
