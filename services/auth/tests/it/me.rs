//! One's own user: reading, changing, deleting, and the events that follow.

use crate::{LOGIN, auth};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Stack, Unit, User,
    client::{Answer, PASSWORD, REGISTER},
    eventually,
};
use uuid::Uuid;

const ME: &str = "/auth/api/v1/users/me";
const SOON: Duration = Duration::from_secs(5);

async fn ask(stack: &Stack, method: Method, path: &str, user: &User, body: Value) -> Answer {
    stack
        .client
        .ask(method, path, Some(&user.token), Some(&body))
        .await
        .expect("auth-service answers")
}

#[tokio::test]
async fn a_token_opens_the_own_user_only() {
    let stack = auth().await;
    let user = stack.client.register(Role::Encadrant).await;
    let me = stack.client.get(ME, &user).await;
    assert_eq!((me.status, &me.body), (200, &user.body["user"]));
    assert_eq!(
        stack
            .client
            .ask(Method::GET, ME, None, None)
            .await
            .unwrap()
            .body["code"],
        "NO_TOKEN"
    );
    let refresh = User {
        token: user.body["refresh_token"].as_str().unwrap().into(),
        ..user.clone()
    };
    assert_eq!(
        stack.client.get(ME, &refresh).await.body["code"],
        "INVALID_TOKEN",
        "a refresh token opens nothing"
    );
    stack
        .auth
        .run(&format!(
            "delete from users_user where id = '{}'",
            user.user_id
        ))
        .await;
    assert_eq!(stack.client.get(ME, &user).await.status, 404);
}

#[tokio::test]
async fn one_change_of_many_fields_is_one_event_and_no_change_is_none() {
    let stack = auth().await;
    let tap = stack.vhost.tap("auth.user.updated").await;
    let user = stack.client.register(Role::Student).await;
    let change = json!({"first_name": " Jo ", "last_name": null, "phone": "+33 1", "locale": "fr"});
    let changed = ask(&stack, Method::PATCH, ME, &user, change.clone()).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    for (field, value) in [
        ("first_name", "Jo"),
        ("last_name", ""),
        ("phone", "+33 1"),
        ("locale", "fr"),
    ] {
        assert_eq!(changed.body[field], value);
    }
    assert_eq!(stack.client.get(ME, &user).await.body, changed.body);
    for nothing in [change, json!({})] {
        let same = ask(&stack, Method::PATCH, ME, &user, nothing).await;
        assert_eq!((same.status, same.body), (200, changed.body.clone()));
    }
    let cleared = ask(&stack, Method::PATCH, ME, &user, json!({"phone": null})).await;
    assert_eq!(cleared.body["phone"], json!(null));

    let (first, second) = (
        tap.hear(|event| event.json()["_meta"]["aggregate_version"] == 2),
        tap.hear(|event| event.json()["_meta"]["aggregate_version"] == 3),
    );
    let (first, second) = (
        first.await.json()["payload"].clone(),
        second.await.json()["payload"].clone(),
    );
    assert_eq!(
        first,
        json!({"user_id": user.user_id, "email": user.email, "first_name": "Jo", "last_name": "",
               "phone": "+33 1", "role": "student", "locale": "fr",
               "is_active": true, "email_verified": false,
               "changes": ["first_name", "last_name", "locale", "phone"]})
    );
    assert_eq!(
        (&second["phone"], &second["changes"]),
        (&json!(null), &json!(["phone"]))
    );
    assert_eq!(
        stack
            .auth
            .count("outbox where routing_key = 'auth.user.updated'")
            .await,
        2
    );
}

#[tokio::test]
async fn all_wrong_fields_of_a_change_are_reported_and_nothing_is_changed() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let bad = json!({"first_name": 1, "locale": null, "role": "admin", "email": "a@b.org", "is_active": false});
    let refused = ask(&stack, Method::PATCH, ME, &user, bad).await;
    let fields: Vec<&String> = refused.body["errors"].as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["email", "first_name", "is_active", "locale", "role"]
    );
    assert_eq!(stack.client.get(ME, &user).await.body, user.body["user"]);
    let without_token = stack
        .client
        .ask(Method::PATCH, ME, None, Some(&json!({"first_name": "x"})))
        .await
        .unwrap();
    assert_eq!(without_token.status, 401);
}

#[tokio::test]
async fn the_email_changes_with_the_password_only_and_stays_unique() {
    let stack = auth().await;
    let (user, other) = (
        stack.client.register(Role::Student).await,
        stack.client.register(Role::Student).await,
    );
    let path = &format!("{ME}/email");
    let change =
        |email: &str, password: &str| json!({"email": email, "current_password": password});
    let wrong = ask(
        &stack,
        Method::POST,
        path,
        &user,
        change("new@example.com", "not the password"),
    )
    .await;
    assert_eq!(wrong.status, 400, "401 would log the user out");
    assert!(wrong.body["errors"]["current_password"].is_array());
    let taken = ask(
        &stack,
        Method::POST,
        path,
        &user,
        change(&other.email.to_uppercase(), PASSWORD),
    )
    .await;
    assert_eq!(
        (taken.status, &taken.body["code"]),
        (409, &json!("EMAIL_TAKEN"))
    );
    let changed = ask(
        &stack,
        Method::POST,
        path,
        &user,
        change(" New@Example.com", PASSWORD),
    )
    .await;
    assert_eq!(
        (changed.status, &changed.body["email"]),
        (200, &json!("new@example.com"))
    );
    let announced = "outbox where routing_key = 'auth.user.updated' and aggregate_version = 2";
    assert_eq!(stack.auth.count(announced).await, 1);
    let login = json!({"email": "new@example.com", "password": PASSWORD});
    assert_eq!(stack.client.post(LOGIN, &login).await.status, 200);
}

#[tokio::test]
async fn a_stolen_token_does_not_help_to_guess_the_password() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let guess = json!({"current_password": "a guess at random"});
    for _ in 0..5 {
        assert_eq!(
            ask(&stack, Method::DELETE, ME, &user, guess.clone())
                .await
                .status,
            400
        );
    }
    let locked = ask(&stack, Method::DELETE, ME, &user, guess).await;
    assert_eq!(
        (locked.status, &locked.body["code"]),
        (429, &json!("TOO_MANY_ATTEMPTS"))
    );
    assert_eq!(stack.auth.count("users_user").await, 1);
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_announced() {
    let stack = auth().await;
    let tap = stack.vhost.tap("auth.user.deleted").await;
    let user = stack.client.register(Role::Encadrant).await;
    let missing = ask(&stack, Method::DELETE, ME, &user, json!({})).await;
    assert_eq!(
        (missing.status, &missing.body["detail"]),
        (400, &json!("current_password: This field is required."))
    );
    let password = json!({"current_password": PASSWORD});
    assert_eq!(
        ask(&stack, Method::DELETE, ME, &user, password.clone())
            .await
            .status,
        204
    );
    let event = tap.hear(|_| true).await.json();
    assert_eq!(
        event["payload"],
        json!({"user_id": user.user_id, "email": user.email})
    );
    assert_eq!(event["_meta"]["aggregate_version"], 2);
    for table in ["users_user", "users_session"] {
        assert_eq!(stack.auth.count(table).await, 0, "{table}");
    }
    for (method, body) in [
        (Method::DELETE, password),
        (Method::PATCH, json!({"first_name": "x"})),
        (Method::GET, json!({})),
    ] {
        let refused = ask(&stack, method, ME, &user, body).await;
        let expected = (401, &json!("INVALID_TOKEN"));
        assert_eq!((refused.status, &refused.body["code"]), expected);
    }
    let again = json!({"email": user.email, "password": PASSWORD});
    assert_eq!(stack.client.post(LOGIN, &again).await.status, 401);
    assert_eq!(
        stack.client.post(REGISTER, &again).await.status,
        201,
        "the address is free again"
    );
}

#[tokio::test]
async fn a_user_whom_many_large_parked_events_name_is_deleted_at_once() {
    const COUNT: i64 = 1_500;

    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let user_id = user.user_id.as_uuid();
    stack.auth.park_large_bodies(user_id, COUNT as u32).await;
    let password = json!({"current_password": PASSWORD});
    let deleted = ask(&stack, Method::DELETE, ME, &user, password).await;
    assert_eq!(deleted.status, 204);
    let blanked = "parked_event where kind = 'erased' and body = ''";
    assert!(stack.auth.count(blanked).await >= 1_000);
    eventually(Duration::from_secs(20), "the rest is blanked", async || {
        stack.auth.count(blanked).await == COUNT
    })
    .await;
    assert_eq!(stack.auth.count("parked_event").await, COUNT * 2);
}

#[tokio::test]
async fn the_profile_is_linked_in_any_order_of_its_events() {
    let mut stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    stack.start_units(&[Unit::AuthConsumer]).await;
    let student_id = Uuid::now_v7();
    let publish = async |key: &str, version: i64| {
        let event = json!({"payload": {"student_id": student_id, "user_id": user.user_id},
                           "_meta": {"aggregate_version": version}});
        stack.vhost.publish(key, event.to_string()).await;
    };
    publish("student.created", 1).await;
    let linked = eventually(SOON, "the link", async || {
        let login = json!({"email": user.email, "password": PASSWORD});
        let body = stack.client.post(LOGIN, &login).await.body;
        (body["user"]["profile_id"] == student_id.to_string()).then_some(body)
    })
    .await;
    let claims = linked["access_token"]
        .as_str()
        .unwrap()
        .split('.')
        .nth(1)
        .unwrap()
        .to_owned();
    let claims: Value = serde_json::from_slice(
        &base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, claims).unwrap(),
    )
    .unwrap();
    assert_eq!(claims["profile_id"], student_id.to_string());

    publish("student.deleted", 5).await;
    let stored = |version: i64| {
        format!(
            "exists (select from users_user where profile_version = {version} and profile_id is null)"
        )
    };
    eventually(SOON, "the link is gone", async || {
        stack.auth.is(&stored(5)).await
    })
    .await;
    publish("student.created", 4).await;
    publish("student.deleted", 6).await;
    eventually(SOON, "the late event changes nothing", async || {
        stack.auth.is(&stored(6)).await
    })
    .await;
}

#[tokio::test]
async fn a_user_exports_all_that_is_held_of_the_own_person_and_nothing_of_others() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let admin = crate::admin(&stack).await;
    let path = format!("/auth/api/v1/users/{}", user.user_id);
    let change = json!({"first_name": "Amina"});
    let changed = stack
        .client
        .ask(Method::PATCH, &path, Some(&admin.token), Some(&change));
    assert_eq!(changed.await.unwrap().status, 200);
    let export = stack
        .client
        .get("/auth/api/v1/users/me/export", &user)
        .await
        .body;
    assert_eq!(export["user"]["first_name"], "Amina");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(export["mails"][0]["kind"], "verification");
    let logs = export["audit_logs"].as_array().unwrap();
    let actions: Vec<_> = logs
        .iter()
        .map(|log| log["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["change_user", "register"]);
    assert_eq!(
        (&logs[0]["address"], &logs[0]["device"]),
        (&json!(null), &json!(null))
    );
    assert!(logs[1]["address"].is_string());
    assert_eq!(
        export["others"],
        json!(["/profile/api/me/export", "/comm/api/export"])
    );
    assert!(!export.to_string().contains("hash"), "{export}");
}
