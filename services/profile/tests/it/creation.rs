//! Students and encadrants who are created together with their users, and where that can be cut.

use crate::{
    fixture::{SOON, administrator, ask, enrolled, field_errors, people_with_stub},
    stub::Asked,
};
use events::{Role, UserId};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{
    Stack, Unit,
    client::{Answer, PASSWORD, User},
    eventually,
};

const STUDENTS: &str = "/profile/api/students/";
const ENCADRANTS: &str = "/profile/api/encadrants/";

/// As the old front end sends it.
fn student(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "first_name": "Amina", "last_name": "Doe", "student_number": "N1",
           "university": "Oran", "program": "", "year_level": 3})
}

async fn create(stack: &Stack, user: &User, path: &str, body: &Value) -> Answer {
    ask(stack, Method::POST, path, user, Some(body.clone())).await
}

/// Publishes what auth-service publishes when it has created the user of a request.
async fn announce(stack: &Stack, asked: &Asked) {
    let account = &asked.body;
    let payload = json!({"user_id": account["id"], "email": account["email"], "first_name": account["first_name"],
                         "last_name": account["last_name"], "phone": account["phone"], "role": account["role"]});
    let meta = json!({"event_id": UserId::new(), "timestamp": "2026-01-05T10:00:00Z", "aggregate_version": 1,
                      "source": "auth-service"});
    let body = json!({"payload": payload, "_meta": meta}).to_string();
    stack.vhost.publish("auth.user.created", body).await;
}

/// Waits until nothing is expected any more.
async fn nothing_expected(stack: &Stack) {
    eventually(SOON, "nothing is expected", async || {
        stack.profile.count("profiles_expected").await == 0
    })
    .await;
}

async fn student_of(stack: &Stack, admin: &User, asked: &Asked) -> Value {
    let path = format!(
        "{STUDENTS}by_user/{}/",
        asked.body["id"].as_str().expect("an id")
    );
    eventually(SOON, "a profile", async || {
        let read = stack.client.get(&path, admin).await;
        (read.status == 200).then_some(read.body)
    })
    .await
}

#[tokio::test]
async fn a_student_is_created_by_one_request_and_the_event_makes_the_profile() {
    let (stack, stub) = people_with_stub().await;
    let admin = administrator(&stack).await;
    let created = stack.vhost.tap("student.created").await;
    stub.will_create();
    let body = student(" Amina@Example.com ");
    let response = create(&stack, &admin, STUDENTS, &body).await;
    assert_eq!(response.status, 201, "{}", response.body);
    let asked = &stub.asked()[0];
    assert_eq!(asked.route, "POST /auth/api/v1/users");
    assert_eq!(asked.authorization, format!("Bearer {}", admin.token));
    let account = ["email", "password", "first_name", "role"].map(|field| &asked.body[field]);
    assert_eq!(account, ["amina@example.com", PASSWORD, "Amina", "student"]);
    assert!(
        asked.body.get("university").is_none(),
        "own fields stay here"
    );
    assert!(
        stack
            .profile
            .is("not exists (select from profiles_student)")
            .await,
        "only the event makes a profile"
    );
    announce(&stack, asked).await;
    let made = student_of(&stack, &admin, asked).await;
    for field in [
        "id",
        "user_id",
        "email",
        "first_name",
        "student_number",
        "university",
        "program",
        "year_level",
    ] {
        assert_eq!(made[field], response.body[field], "{field}");
    }
    assert_eq!(
        (&made["year_level"], &made["program"]),
        (&json!(3), &Value::Null)
    );
    nothing_expected(&stack).await;
    created.hear(|_| true).await;
    assert_eq!(created.heard().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_completed_by_the_event_or_by_a_repeat() {
    let (stack, stub) = people_with_stub().await;
    let (admin, encadrant) = (
        administrator(&stack).await,
        enrolled(&stack, Role::Encadrant).await,
    );
    // By the event: the answer never comes.
    stub.will_answer(503, json!({"code": "BUSY"}));
    let body = student("first@example.com");
    let lost = create(&stack, &admin, STUDENTS, &body).await;
    assert_eq!(
        (lost.status, &lost.body["code"]),
        (503, &json!("AUTH_UNAVAILABLE"))
    );
    assert_eq!(stack.profile.count("profiles_expected").await, 1);
    announce(&stack, &stub.asked()[0]).await;
    let made = student_of(&stack, &admin, &stub.asked()[0]).await;
    assert_eq!(
        (&made["student_number"], &made["university"]),
        (&json!("N1"), &json!("Oran"))
    );
    nothing_expected(&stack).await;
    // By a repeat: it has the id of the first, and a password that is refused meanwhile does not lose the fields.
    let body = json!({"email": "second@example.com", "student_number": "N2"});
    stub.will_answer(503, Value::Null);
    stub.will_answer(
        400,
        json!({"code": "VALIDATION", "errors": {"password": ["Too short."]}}),
    );
    stub.will_create();
    for status in [503, 400, 201] {
        let response = create(&stack, &encadrant, STUDENTS, &body).await;
        assert_eq!(response.status, status, "{}", response.body);
        assert_eq!(stack.profile.count("profiles_expected").await, 1);
    }
    let ids: Vec<Value> = stub.asked()[1..]
        .iter()
        .map(|asked| asked.body["id"].clone())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // Another person who asks for the same address has another id.
    stub.will_answer(409, json!({"code": "EMAIL_TAKEN"}));
    let other = create(
        &stack,
        &admin,
        STUDENTS,
        &json!({"email": "second@example.com"}),
    )
    .await;
    assert_eq!(
        (other.status, &other.body["code"]),
        (409, &json!("EMAIL_TAKEN"))
    );
    assert_eq!(field_errors(&other), ["email"]);
    assert_ne!(stub.asked()[4].body["id"], ids[0]);
    announce(&stack, &stub.asked()[1]).await;
    let made = student_of(&stack, &admin, &stub.asked()[1]).await;
    assert_eq!(made["student_number"], "N2");
    nothing_expected(&stack).await;
}

#[tokio::test]
async fn a_refusal_of_the_user_leaves_nothing_behind() {
    let (mut stack, stub) = people_with_stub().await;
    let admin = administrator(&stack).await;
    let body = student("amina@example.com");
    for (status, answer, field) in [
        (
            409,
            json!({"code": "EMAIL_TAKEN", "detail": "email: taken"}),
            "email",
        ),
        (
            400,
            json!({"code": "VALIDATION", "errors": {"password": ["Too easy."]}}),
            "password",
        ),
    ] {
        stub.will_answer(status, answer);
        let refused = create(&stack, &admin, STUDENTS, &body).await;
        assert_eq!(refused.status, status, "{}", refused.body);
        assert_eq!(field_errors(&refused), [field]);
        assert_eq!(stack.profile.count("profiles_expected").await, 0);
    }
    stub.will_answer(403, json!({"code": "FORBIDDEN", "detail": "No."}));
    assert_eq!(create(&stack, &admin, STUDENTS, &body).await.status, 403);
    assert_eq!(stack.profile.count("profiles_expected").await, 0);
    // What nobody repeats is swept after an hour, unless the user is certain.
    stub.will_answer(500, Value::Null);
    stub.will_create();
    for email in ["gone@example.com", "certain@example.com"] {
        create(&stack, &admin, STUDENTS, &json!({"email": email})).await;
    }
    let ago = "update profiles_expected set created_at = now() - interval '59 minutes'";
    stack.profile.run(ago).await;
    stack.kill(Unit::Profile).await;
    stack.start_units(&[Unit::Profile]).await;
    assert_eq!(stack.profile.count("profiles_expected").await, 2);
    stack.profile.run(&ago.replace("59", "61")).await;
    stack.kill(Unit::Profile).await;
    stack.start_units(&[Unit::Profile]).await;
    let certain = "(select array_agg(email) from profiles_expected) = '{certain@example.com}'";
    eventually(SOON, "it is swept", async || {
        stack.profile.is(certain).await
    })
    .await;
}

#[tokio::test]
async fn who_may_create_whom_and_numbers_that_are_taken() {
    let (stack, stub) = people_with_stub().await;
    let admin = administrator(&stack).await;
    let (student_user, encadrant) = (
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Encadrant).await,
    );
    for (path, user) in [
        (STUDENTS, &student_user),
        (ENCADRANTS, &student_user),
        (ENCADRANTS, &encadrant),
    ] {
        let body = json!({"email": "x@example.com"});
        let refused = create(&stack, user, path, &body).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (403, &json!("FORBIDDEN")),
            "{path}"
        );
    }
    stack
        .profile
        .run("update profiles_student set student_number = 'N1'")
        .await;
    let refused = create(&stack, &admin, STUDENTS, &student("x@example.com")).await;
    assert_eq!(field_errors(&refused), ["student_number"]);
    assert!(stub.asked().is_empty(), "auth-service is not asked");
    assert_eq!(stack.profile.count("profiles_expected").await, 0);

    stub.will_create();
    let body = json!({"email": "dr@example.com", "cin": "C1", "position": "Head", "speciality": "Cardiology"});
    let created = create(&stack, &admin, ENCADRANTS, &body).await;
    assert_eq!(
        (created.status, &created.body["specialization"]),
        (201, &json!("Cardiology"))
    );
    assert_eq!(stub.asked()[0].body["role"], "encadrant");
    // Until the event arrives, the number is kept for the new encadrant.
    let number = json!({"cin": "C1"});
    let path = "/profile/api/encadrants/me/";
    let refused = ask(
        &stack,
        Method::PATCH,
        path,
        &encadrant,
        Some(number.clone()),
    )
    .await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("NUMBER_TAKEN"))
    );
    let other = json!({"email": "other@example.com", "cin": "C1"});
    let refused = create(&stack, &admin, ENCADRANTS, &other).await;
    assert_eq!(
        (refused.status, field_errors(&refused)),
        (409, vec!["cin".to_owned()])
    );
    assert_eq!(
        stub.asked().len(),
        1,
        "auth-service is not asked for another"
    );
    // What a person writes into the database all the same does not stand in the way of the profile.
    stack
        .profile
        .run("update profiles_encadrant set cin = 'C1'")
        .await;
    let tap = stack.vhost.tap("encadrant.created").await;
    announce(&stack, &stub.asked()[0]).await;
    let event = tap.hear(|_| true).await.json();
    assert_eq!(event["payload"]["specialization"], "Cardiology");
    let made = "exists (select from profiles_encadrant where position = 'Head' and cin is null)";
    assert!(stack.profile.is(made).await);
    stack
        .process(Unit::ProfileConsumer)
        .line("A profile is made without values that another profile has")
        .await;
}

#[tokio::test]
async fn of_many_who_ask_for_one_number_at_once_one_gets_it() {
    let (stack, stub) = people_with_stub().await;
    let admin = administrator(&stack).await;
    let students = [
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Student).await,
    ];
    let creations = (0..4).map(|n| {
        stub.will_create();
        let body = json!({"email": format!("{n}@example.com"), "student_number": "N1"});
        let (stack, admin) = (&stack, &admin);
        async move { create(stack, admin, STUDENTS, &body).await.status }
    });
    let changes = students.iter().map(|student| {
        let (stack, body) = (&stack, json!({"student_number": "N1"}));
        let path = "/profile/api/students/me/";
        async move {
            ask(stack, Method::PATCH, path, student, Some(body))
                .await
                .status
        }
    });
    let (created, changed) = tokio::join!(join_all(creations), join_all(changes));
    let statuses: Vec<u16> = created.into_iter().chain(changed).collect();
    let taken = statuses.iter().filter(|status| **status == 409).count();
    assert_eq!(taken, statuses.len() - 1, "{statuses:?}");
}
