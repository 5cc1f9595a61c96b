//! Creations that are sent again because the answer was lost.

use crate::{
    fixture::{SOON, administrator, enrolled, people_with_stub},
    stub::Stub,
};
use events::{Role, UserId};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::HashSet;
use test_support::{
    Stack, Unit,
    client::{Answer, User},
    eventually,
};
use uuid::Uuid;

const STUDENTS: &str = "/profile/api/students/";
const ENCADRANTS: &str = "/profile/api/encadrants/";

async fn post(stack: &Stack, path: &str, user: &User, key: Uuid, body: &Value) -> Answer {
    let request = reqwest::Client::new()
        .post(stack.client.url(path))
        .header("Idempotency-Key", key.to_string())
        .bearer_auth(&user.token)
        .json(body);
    let response = request.send().await.expect("profile-service answers");
    Answer {
        status: response.status().as_u16(),
        body: response.json().await.expect("JSON"),
    }
}

/// The ids under which auth-service was asked to create users.
fn ids(stub: &Stub) -> Vec<Value> {
    let asked = stub.asked();
    asked.iter().map(|asked| asked.body["id"].clone()).collect()
}

#[tokio::test]
async fn a_creation_that_is_sent_again_creates_once_and_is_answered_as_the_first_time() {
    let (mut stack, stub) = people_with_stub().await;
    let admin = administrator(&stack).await;
    let key = Uuid::new_v4();
    let body = json!({"email": "first@example.com", "student_number": "N1"});
    stub.will_create();
    let first = post(&stack, STUDENTS, &admin, key, &body).await;
    assert_eq!(first.status, 201, "{}", first.body);
    // The profile is not there yet: auth-service is asked again, under the same id.
    stub.will_create();
    let again = post(&stack, STUDENTS, &admin, key, &body).await;
    assert_eq!(
        (again.status, &again.body["id"]),
        (201, &first.body["id"]),
        "{}",
        again.body
    );
    assert_eq!(ids(&stub)[0], ids(&stub)[1]);

    let account = stub.asked()[0].body.clone();
    let payload =
        json!({"user_id": account["id"], "email": account["email"], "role": account["role"]});
    let meta = json!({"event_id": UserId::new(), "timestamp": "2026-01-05T10:00:00Z", "aggregate_version": 1,
                      "source": "auth-service"});
    let event = json!({"payload": payload, "_meta": meta}).to_string();
    stack.vhost.publish("auth.user.created", event).await;
    eventually(SOON, "a profile", async || {
        stack.profile.count("profiles_student").await == 1
    })
    .await;
    let made = post(&stack, STUDENTS, &admin, key, &body).await;
    assert_eq!(
        (made.status, &made.body["id"], &made.body["student_number"]),
        (201, &first.body["id"], &json!("N1"))
    );
    assert_eq!(ids(&stub).len(), 2, "auth-service is not asked any more");
    assert_eq!(stack.profile.count("profiles_expected").await, 0);

    // A repeat may write the own fields again while the event makes the profile.
    stack
        .profile
        .run(
            "insert into profiles_expected (user_id, created_by, email, role, fields, is_confirmed)
             select user_id, user_id, email, 'student', '{}', true from profiles_student",
        )
        .await;
    stack.kill(Unit::Profile).await;
    stack.start_units(&[Unit::Profile]).await;
    eventually(SOON, "nothing is expected", async || {
        stack.profile.count("profiles_expected").await == 0
    })
    .await;
}

#[tokio::test]
async fn another_body_with_the_same_key_is_refused() {
    let (stack, stub) = people_with_stub().await;
    let (admin, encadrant) = (
        administrator(&stack).await,
        enrolled(&stack, Role::Encadrant).await,
    );
    let key = Uuid::new_v4();
    stub.will_create();
    let body = json!({"email": "first@example.com"});
    assert_eq!(post(&stack, STUDENTS, &admin, key, &body).await.status, 201);
    let other = json!({"email": "first@example.com", "university": "Oran"});
    let refused = post(&stack, STUDENTS, &admin, key, &other).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("KEY_REUSED"))
    );
    assert_eq!(ids(&stub).len(), 1);
    // The key of another route or of another user is another key.
    for (path, user, email) in [
        (ENCADRANTS, &admin, "second@example.com"),
        (STUDENTS, &encadrant, "third@example.com"),
    ] {
        stub.will_create();
        let created = post(&stack, path, user, key, &json!({"email": email})).await;
        assert_eq!(created.status, 201, "{}", created.body);
    }
}

#[tokio::test]
async fn a_lost_answer_keeps_the_key_and_a_refusal_gives_it_back() {
    let (stack, stub) = people_with_stub().await;
    let admin = administrator(&stack).await;
    let (key, body) = (Uuid::new_v4(), json!({"email": "first@example.com"}));
    stub.will_answer(503, Value::Null);
    assert_eq!(post(&stack, STUDENTS, &admin, key, &body).await.status, 503);
    for _ in 0..5 {
        stub.will_create();
    }
    let repeats = (0..5).map(|_| post(&stack, STUDENTS, &admin, key, &body));
    for response in join_all(repeats).await {
        assert_eq!(response.status, 201, "{}", response.body);
    }
    let ids: HashSet<String> = ids(&stub).iter().map(Value::to_string).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(stack.profile.count("profiles_expected").await, 1);

    let key = Uuid::new_v4();
    let weak = json!({"email": "second@example.com", "password": "12345678"});
    stub.will_answer(
        400,
        json!({"code": "VALIDATION", "errors": {"password": ["Too easy."]}}),
    );
    let refused = post(&stack, STUDENTS, &admin, key, &weak).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    stub.will_create();
    let corrected = json!({"email": "second@example.com"});
    let created = post(&stack, STUDENTS, &admin, key, &corrected).await;
    assert_eq!(created.status, 201, "{}", created.body);
}
