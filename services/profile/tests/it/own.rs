//! One's own profile: reading and changing it.

use crate::fixture::{SOON, ask, enrolled, field_errors, people};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Unit, eventually, vhost::Message};

const STUDENT: &str = "/profile/api/students/me/";
const ENCADRANT: &str = "/profile/api/encadrants/me/";

#[tokio::test]
async fn own_fields_are_stored_and_announced_once_and_an_empty_text_is_null() {
    let stack = people().await;
    let user = enrolled(&stack, Role::Student).await;
    let tap = stack.vhost.tap("student.updated").await;
    let body = json!({"cin": " AB12 ", "student_number": "", "date_of_birth": "2003-04-21",
                      "university": "Algiers", "year_level": 4, "metadata": {"group": "B"}});
    let changed = ask(&stack, Method::PATCH, STUDENT, &user, Some(body.clone())).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let read = stack.client.get(STUDENT, &user).await.body;
    assert_eq!(read, changed.body);
    assert_eq!(read, stack.client.get("/profile/api/me", &user).await.body);
    for (name, value) in [
        ("cin", json!("AB12")),
        ("student_number", Value::Null),
        ("date_of_birth", json!("2003-04-21")),
        ("year_level", json!(4)),
        ("metadata", json!({"group": "B"})),
        ("first_name", json!("John")),
    ] {
        assert_eq!(read[name], value, "{name}");
    }
    let event = tap.hear(|_| true).await.json();
    assert_eq!(
        event["payload"]["changes"],
        json!([
            "cin",
            "date_of_birth",
            "university",
            "year_level",
            "metadata"
        ])
    );
    assert_eq!(event["_meta"]["aggregate_version"], 2);
    let payload = event["payload"].to_string();
    assert!(
        !payload.contains("AB12") && !payload.contains("2003"),
        "{payload}"
    );

    let again = ask(&stack, Method::PATCH, STUDENT, &user, Some(body)).await;
    assert_eq!(again.body, changed.body);
    let cleared = json!({"year_level": "", "university": null});
    let cleared = ask(&stack, Method::PATCH, STUDENT, &user, Some(cleared)).await;
    assert_eq!(cleared.body["year_level"], Value::Null, "{}", cleared.body);
    let is_second = |event: &Message| event.json()["_meta"]["aggregate_version"] == 3;
    tap.hear(is_second).await;
    assert_eq!(
        tap.heard().len(),
        2,
        "what changes nothing is not announced"
    );
}

#[tokio::test]
async fn names_go_to_auth_service_and_the_next_request_reads_them() {
    let stack = people().await;
    let user = enrolled(&stack, Role::Student).await;
    let tap = stack.vhost.tap("student.updated").await;
    let body =
        json!({"first_name": "Amina", "last_name": "", "phone": "+213 555", "program": "Medicine"});
    let changed = ask(&stack, Method::PATCH, STUDENT, &user, Some(body)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let read = stack.client.get(STUDENT, &user).await.body;
    let of_auth = stack.client.get("/auth/api/v1/users/me", &user).await.body;
    for profile in [&changed.body, &read, &of_auth] {
        let fields = [
            &profile["first_name"],
            &profile["last_name"],
            &profile["phone"],
        ];
        assert_eq!(fields, [&json!("Amina"), &json!(""), &json!("+213 555")]);
    }
    assert_eq!(read["program"], "Medicine");
    let names = |event: &Message| event.json()["payload"]["changes"][0] == "first_name";
    tap.hear(names).await;
}

#[tokio::test]
async fn a_refusal_of_auth_service_is_handed_on_and_nothing_is_stored() {
    let stack = people().await;
    let user = enrolled(&stack, Role::Student).await;
    let body = json!({"phone": "call me", "first_name": "a\u{7}", "program": "Medicine"});
    let refused = ask(&stack, Method::PATCH, STUDENT, &user, Some(body)).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (400, &json!("VALIDATION"))
    );
    assert_eq!(field_errors(&refused), ["first_name", "phone"]);
    let read = stack.client.get(STUDENT, &user).await.body;
    assert_eq!(read["program"], Value::Null);
}

#[tokio::test]
async fn while_auth_service_is_unavailable_names_are_refused_with_503_and_nothing_is_stored() {
    let mut stack = people().await;
    let user = enrolled(&stack, Role::Encadrant).await;
    stack.kill(Unit::Auth).await;
    let body = json!({"first_name": "Sam", "position": "Head"});
    let refused = ask(&stack, Method::PATCH, ENCADRANT, &user, Some(body)).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (503, &json!("AUTH_UNAVAILABLE"))
    );
    let read = stack.client.get(ENCADRANT, &user).await.body;
    assert_eq!(read["position"], Value::Null);
    let own = json!({"position": "Head"});
    let own = ask(&stack, Method::PATCH, ENCADRANT, &user, Some(own)).await;
    assert_eq!((own.status, &own.body["position"]), (200, &json!("Head")));
}

#[tokio::test]
async fn the_number_of_another_is_refused_before_auth_service_is_asked() {
    let stack = people().await;
    let (first, second) = (
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Student).await,
    );
    let numbers = json!({"cin": "C1", "student_number": "N1", "first_name": "Amina"});
    let stored = ask(
        &stack,
        Method::PATCH,
        STUDENT,
        &first,
        Some(numbers.clone()),
    )
    .await;
    assert_eq!(stored.status, 200, "{}", stored.body);
    let refused = ask(&stack, Method::PATCH, STUDENT, &second, Some(numbers)).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("NUMBER_TAKEN"))
    );
    assert_eq!(field_errors(&refused), ["cin", "student_number"]);
    let of_auth = stack
        .client
        .get("/auth/api/v1/users/me", &second)
        .await
        .body;
    assert_eq!(of_auth["first_name"], "John");
    // An empty number is none, however many have none.
    let empty = json!({"cin": "", "student_number": ""});
    for user in [&first, &second] {
        let response = ask(&stack, Method::PATCH, STUDENT, user, Some(empty.clone())).await;
        assert_eq!(response.status, 200, "{}", response.body);
    }
}

#[tokio::test]
async fn an_encadrant_sets_the_speciality_under_either_name() {
    let stack = people().await;
    let user = enrolled(&stack, Role::Encadrant).await;
    let tap = stack.vhost.tap("encadrant.updated").await;
    let body = json!({"specialization": "Cardiology"});
    let changed = ask(&stack, Method::PATCH, "/profile/api/me", &user, Some(body)).await;
    assert_eq!(changed.body["speciality"], "Cardiology", "{}", changed.body);
    assert_eq!(changed.body["specialization"], "Cardiology");
    let payload = tap.hear(|_| true).await.json()["payload"].clone();
    assert_eq!(payload["specialization"], "Cardiology");
    assert_eq!(payload["changes"], json!(["specialization"]));
    let both = json!({"specialization": "Cardiology", "speciality": "Surgery"});
    let both = ask(&stack, Method::PATCH, ENCADRANT, &user, Some(both)).await;
    assert_eq!(field_errors(&both), ["specialization"]);
}

#[tokio::test]
async fn the_profile_of_another_role_is_not_there() {
    let stack = people().await;
    let (student, encadrant) = (
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Encadrant).await,
    );
    for (path, user) in [(ENCADRANT, &student), (STUDENT, &encadrant)] {
        let read = stack.client.get(path, user).await;
        assert_eq!(
            (read.status, &read.body["code"]),
            (404, &json!("NOT_FOUND"))
        );
        let body = json!({"cin": "C1"});
        let changed = ask(&stack, Method::PATCH, path, user, Some(body)).await;
        assert_eq!(changed.status, 404, "{}", changed.body);
    }
    let body = json!({"year_level": 4});
    let refused = ask(
        &stack,
        Method::PATCH,
        "/profile/api/me",
        &encadrant,
        Some(body),
    )
    .await;
    assert_eq!(field_errors(&refused), ["year_level"]);
}

#[tokio::test]
async fn values_that_cannot_be_stored_are_refused_field_by_field() {
    let stack = people().await;
    let user = enrolled(&stack, Role::Student).await;
    for body in [
        json!({"date_of_birth": "21/04/2003"}),
        json!({"date_of_birth": "2999-01-01"}),
        json!({"year_level": 0}),
        json!({"year_level": 13}),
        json!({"year_level": "four"}),
        json!({"year_level": 1.5}),
        json!({"metadata": []}),
        json!({"metadata": {"a": ["\u{0}"]}}),
        json!({"metadata": {"a": "x".repeat(5000)}}),
        json!({"user_id": "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d"}),
    ] {
        let field = body.as_object().unwrap().keys().next().unwrap().clone();
        let refused = ask(&stack, Method::PATCH, STUDENT, &user, Some(body.clone())).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
        assert_eq!(field_errors(&refused), [field]);
    }
}

#[tokio::test]
async fn a_number_that_a_client_stores_comes_back_as_it_was_however_large() {
    let stack = people().await;
    let user = enrolled(&stack, Role::Student).await;
    let metadata =
        json!({"least": f64::MIN, "smallest": 5e-324, "other": 3.703_609_420_280_786e16});
    let body = json!({"metadata": metadata});
    let changed = ask(&stack, Method::PATCH, STUDENT, &user, Some(body)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let read = stack.client.get(STUDENT, &user).await.body;
    for (name, value) in metadata.as_object().unwrap() {
        assert_eq!(
            read["metadata"][name].to_string().parse::<f64>().ok(),
            value.as_f64(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_change_at_auth_service_keeps_the_own_fields() {
    let stack = people().await;
    let user = enrolled(&stack, Role::Student).await;
    let own = json!({"cin": "C1", "university": "Oran", "metadata": {"a": 1}});
    ask(&stack, Method::PATCH, STUDENT, &user, Some(own)).await;
    let body = json!({"first_name": "Amina"});
    let path = "/auth/api/v1/users/me";
    ask(&stack, Method::PATCH, path, &user, Some(body)).await;
    let read = eventually(SOON, "the name arrives", async || {
        let read = stack.client.get(STUDENT, &user).await.body;
        (read["first_name"] == "Amina").then_some(read)
    })
    .await;
    let own = [&read["cin"], &read["university"], &read["metadata"]];
    assert_eq!(own, [&json!("C1"), &json!("Oran"), &json!({"a": 1})]);
}

#[tokio::test]
async fn the_export_has_all_that_is_stored_of_the_user_and_nothing_of_others() {
    let stack = people().await;
    let (user, other) = (
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Encadrant).await,
    );
    let own = json!({"cin": "AB12", "student_number": "N1", "date_of_birth": "2003-04-21", "university": "Oran",
                     "program": "Law", "year_level": 2, "metadata": {"group": "B"}, "phone": "+213 555"});
    let changed = ask(&stack, Method::PATCH, STUDENT, &user, Some(own)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    // A profile that does not count is held, too.
    stack
        .profile
        .run("update profiles_student set is_active = false")
        .await;
    let export = stack.client.get("/profile/api/me/export/", &user).await;
    assert_eq!(export.status, 200, "{}", export.body);
    let query = "select to_jsonb(own)::text from profiles_student as own";
    let stored: Value = serde_json::from_str(&stack.profile.value(query).await).expect("JSON");
    for (column, value) in stored.as_object().expect("a row") {
        let exported = &export.body["student"][column];
        match column.as_str() {
            // What is searched is made of the other columns.
            "is_active" | "version" | "search" => {}
            "locale" => assert_eq!(&export.body["locale"], value),
            "created_at" | "updated_at" => assert!(exported.is_string(), "{column}"),
            _ => assert_eq!(exported, value, "{column}"),
        }
        assert!(!value.is_null(), "{column} is tried");
    }
    assert_eq!(
        (&export.body["role"], &export.body["encadrant"]),
        (&json!("student"), &Value::Null)
    );
    let others = stack.client.get("/profile/api/me/export", &other).await;
    assert_eq!(others.body["encadrant"]["email"], other.email);
    assert_eq!(others.body["student"], Value::Null);
}
