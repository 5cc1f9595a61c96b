//! Students and encadrants who are created by one request, with all services.

use crate::authorisation::people::{admin, log_in};
use events::Role;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Stack, Unit, User,
    client::{Answer, PASSWORD},
    eventually,
};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(10);
const STUDENTS: &str = "/profile/api/students/";
const ENCADRANTS: &str = "/profile/api/encadrants/";

async fn create(stack: &Stack, path: &str, user: &User, key: Uuid, body: &Value) -> Answer {
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

/// As the old front end sends it.
fn student(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "first_name": "Amina", "last_name": "Doe", "phone": "+213 555",
           "university": "Oran", "program": "Medicine", "year_level": 3})
}

/// The created student logs in, and has the profile and one welcome.
async fn assert_whole(stack: &Stack, created: &Answer) {
    assert_eq!(created.status, 201, "{}", created.body);
    let email = created.body["email"].as_str().expect("an e-mail");
    let user = log_in(stack, email).await;
    let profile = eventually(SOON, "a profile", async || {
        let profile = stack.client.get("/profile/api/me", &user).await;
        (profile.status == 200).then_some(profile.body)
    })
    .await;
    for field in ["id", "user_id", "first_name", "university", "year_level"] {
        assert_eq!(profile[field], created.body[field], "{field}");
    }
    eventually(SOON, "a welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_student_is_created_by_one_request_whoever_fails_in_between() {
    let _turn = crate::beside_others().await;
    let mut stack = Stack::start().await;
    let admin = admin(&stack).await;
    let encadrant = stack.client.register(Role::Encadrant).await;

    let (key, body) = (Uuid::new_v4(), student("first@example.com"));
    let created = create(&stack, STUDENTS, &admin, key, &body).await;
    assert_whole(&stack, &created).await;
    let again = create(&stack, STUDENTS, &admin, key, &body).await;
    assert_eq!(
        (again.status, &again.body["id"]),
        (201, &created.body["id"])
    );

    let taken = create(
        &stack,
        STUDENTS,
        &admin,
        Uuid::new_v4(),
        &student(&encadrant.email),
    )
    .await;
    assert_eq!(
        (taken.status, &taken.body["code"]),
        (409, &json!("EMAIL_TAKEN"))
    );
    let weak = json!({"email": "weak@example.com", "password": "password"});
    let weak = create(&stack, STUDENTS, &admin, Uuid::new_v4(), &weak).await;
    assert_eq!(weak.status, 400, "{}", weak.body);
    assert!(weak.body["errors"]["password"].is_array(), "{}", weak.body);

    let body = student("second@example.com");
    let created = create(&stack, STUDENTS, &encadrant, Uuid::new_v4(), &body).await;
    assert_whole(&stack, &created).await;
    let colleague = json!({"email": "dr@example.com"});
    let refused = create(&stack, ENCADRANTS, &encadrant, Uuid::new_v4(), &colleague).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (403, &json!("FORBIDDEN"))
    );
    let created = create(&stack, ENCADRANTS, &admin, Uuid::new_v4(), &colleague).await;
    assert_eq!(created.status, 201, "{}", created.body);

    stack.kill(Unit::Auth).await;
    let (key, body) = (Uuid::new_v4(), student("third@example.com"));
    let unavailable = create(&stack, STUDENTS, &admin, key, &body).await;
    assert_eq!(
        (unavailable.status, &unavailable.body["code"]),
        (503, &json!("AUTH_UNAVAILABLE"))
    );
    stack.start_units(&[Unit::Auth]).await;
    let created = create(&stack, STUDENTS, &admin, key, &body).await;
    assert_whole(&stack, &created).await;

    for (email, count) in [("first", 1), ("second", 1), ("third", 1), ("weak", 0)] {
        let users = format!("users_user where email = '{email}@example.com'");
        assert_eq!(stack.auth.count(&users).await, count, "{email}");
    }
    eventually(SOON, "nothing is expected any more", async || {
        stack.profile.count("profiles_expected").await == 0
    })
    .await;
}
