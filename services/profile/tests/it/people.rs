//! Students and encadrants, as others see and change them.

use crate::fixture::{SOON, administrator, ask, enrolled, field_errors, people, people_with_stub};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Stack, client::User};
use uuid::Uuid;

const STUDENTS: &str = "/profile/api/students/";
const ENCADRANTS: &str = "/profile/api/encadrants/";

/// Writes 30 students and 3 encadrants, without events.
async fn populate(stack: &Stack) {
    stack
        .profile
        .run(
            "insert into profiles_student (id, user_id, email, first_name, last_name, phone, cin, student_number,
                                           date_of_birth, university, program, year_level, created_at)
             select gen_random_uuid(), gen_random_uuid(), 's' || n || '@example.com', 'Student', 'Number ' || n, '+1',
                    'C' || n, 'N' || n, '2003-04-21', case when n % 2 = 0 then 'Algiers' else 'Oran' end, 'Medicine',
                    1 + n % 5, now() - n * interval '1 minute'
             from generate_series(1, 30) as n",
        )
        .await;
    stack
        .profile
        .run(
            "insert into profiles_encadrant (id, user_id, email, first_name, last_name, phone, cin, position,
                                             speciality, establishment_id)
             select gen_random_uuid(), gen_random_uuid(), 'e' || n || '@example.com', 'Encadrant', 'Number ' || n, '+1',
                    'C' || n, 'Head', (array['Surgery', 'Cardiology', null])[n],
                    ('00000000-0000-0000-0000-00000000000' || n)::uuid
             from generate_series(1, 3) as n",
        )
        .await;
}

/// The field of each row of a list.
async fn fields(stack: &Stack, user: &User, path: &str, field: &str) -> Vec<Value> {
    let response = stack.client.get(path, user).await;
    assert_eq!(response.status, 200, "{path}: {}", response.body);
    let rows = response
        .body
        .as_array()
        .or(response.body["data"].as_array());
    let rows = rows.unwrap_or_else(|| panic!("{path}: no list: {}", response.body));
    rows.iter().map(|row| row[field].clone()).collect()
}

async fn id_of(stack: &Stack, kind: &str, user: &User) -> String {
    let user_id = user.user_id;
    let query = format!("select id::text from profiles_{kind} where user_id = '{user_id}'");
    stack.profile.value(&query).await
}

#[tokio::test]
async fn lists_of_people_are_searched_filtered_sorted_and_divided_into_pages() {
    let stack = people().await;
    let user = administrator(&stack).await;
    populate(&stack).await;
    let page = stack
        .client
        .get(&format!("{STUDENTS}?page=2&limit=10"), &user)
        .await
        .body;
    let counts = [
        &page["total"],
        &page["page"],
        &page["per_page"],
        &page["total_pages"],
    ];
    assert_eq!(counts, [&json!(30), &json!(2), &json!(10), &json!(3)]);
    assert_eq!(
        page["data"][0]["email"], "s11@example.com",
        "the newest come first"
    );
    let row = &page["data"][0];
    assert_eq!(row["user"]["email"], row["email"]);
    assert_eq!(row["user"], row["user_data"]);
    for (query, field, expected) in [
        ("", "email", 30),
        ("?search=NUMBER%203", "last_name", 2),
        ("?search=s7%40example", "email", 1),
        ("?search=n12", "student_number", 1),
        ("?search=100%25", "email", 0),
        ("?university=oran", "university", 15),
        ("?university=oran&year_level=1", "year_level", 3),
        ("?program=Law", "program", 0),
        ("?search=&promotion=2026&statut=x", "email", 30),
    ] {
        let rows = fields(&stack, &user, &format!("{STUDENTS}{query}"), field).await;
        assert_eq!(rows.len(), expected, "{query}: {rows:?}");
    }
    let sorted = fields(
        &stack,
        &user,
        &format!("{STUDENTS}?sort=-year_level&limit=30"),
        "year_level",
    )
    .await;
    assert!(
        sorted.is_sorted_by_key(|year| -year.as_i64().unwrap()),
        "{sorted:?}"
    );
    let sorted = fields(
        &stack,
        &user,
        &format!("{STUDENTS}?sort=email&limit=2"),
        "email",
    )
    .await;
    assert_eq!(sorted, ["s10@example.com", "s11@example.com"]);
    for bad in ["sort=password_hash", "year_level=x", "limit=0"] {
        let refused = stack.client.get(&format!("{STUDENTS}?{bad}"), &user).await;
        assert_eq!(
            (refused.status, field_errors(&refused).len()),
            (400, 1),
            "{bad}"
        );
    }

    let first = "00000000-0000-0000-0000-000000000001";
    for (query, expected) in [
        (String::new(), 3),
        ("?speciality=cardiology".into(), 1),
        ("?search=surg".into(), 1),
        (format!("?establishment={first}"), 1),
        (format!("by_establishment/{first}/"), 1),
        (format!("by_establishment/{}/", Uuid::nil()), 0),
        ("?sort=-speciality&limit=2".into(), 2),
    ] {
        let rows = fields(&stack, &user, &format!("{ENCADRANTS}{query}"), "email").await;
        assert_eq!(rows.len(), expected, "{query}: {rows:?}");
    }
}

#[tokio::test]
async fn who_may_read_whom() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let (student, other) = (
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Student).await,
    );
    let (encadrant, colleague) = (
        enrolled(&stack, Role::Encadrant).await,
        enrolled(&stack, Role::Encadrant).await,
    );
    let statement = "update profiles_student set phone = '+1', cin = user_id::text, date_of_birth = '2003-04-21'";
    stack.profile.run(statement).await;
    stack
        .profile
        .run("update profiles_encadrant set phone = '+1', cin = user_id::text")
        .await;
    let of_student = id_of(&stack, "student", &student).await;
    let of_encadrant = id_of(&stack, "encadrant", &encadrant).await;
    let by_user = |path: &str, user: &User| format!("{path}by_user/{}/", user.user_id);
    for (path, readers) in [
        (
            format!("{STUDENTS}{of_student}/"),
            [(&student, true), (&admin, true), (&encadrant, false)],
        ),
        (
            by_user(STUDENTS, &student),
            [(&student, true), (&admin, true), (&encadrant, false)],
        ),
        (
            format!("{ENCADRANTS}{of_encadrant}/"),
            [(&encadrant, true), (&admin, true), (&colleague, false)],
        ),
        (
            by_user(ENCADRANTS, &encadrant),
            [(&encadrant, true), (&admin, true), (&colleague, false)],
        ),
    ] {
        for (reader, sees_all) in readers {
            let read = stack.client.get(&path, reader).await;
            assert_eq!(read.status, 200, "{path}: {}", read.body);
            for private in ["phone", "cin", "date_of_birth"] {
                let is_shown = !read.body[private].is_null();
                let is_there = private != "date_of_birth" || path.starts_with(STUDENTS);
                assert_eq!(is_shown, sees_all && is_there, "{path}: {private}");
            }
        }
        let hidden = stack.client.get(&path, &other).await;
        assert_eq!(
            (hidden.status, &hidden.body["code"]),
            (404, &json!("NOT_FOUND")),
            "{path}"
        );
    }
    for path in [STUDENTS, ENCADRANTS] {
        let refused = stack.client.get(path, &student).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (403, &json!("FORBIDDEN"))
        );
        let rows = fields(&stack, &encadrant, path, "phone").await;
        assert_eq!(rows, [Value::Null, Value::Null], "{path}");
        let rows = fields(&stack, &admin, path, "phone").await;
        assert_eq!(rows, ["+1", "+1"], "{path}");
        for nothing in [Uuid::nil().to_string(), "nothing".to_owned()] {
            let missing = stack.client.get(&format!("{path}{nothing}/"), &admin).await;
            assert_eq!(missing.status, 404, "{path}{nothing}");
        }
    }
}

#[tokio::test]
async fn only_administrators_and_the_owner_write() {
    let (stack, stub) = people_with_stub().await;
    let admin = administrator(&stack).await;
    let (student, other, encadrant) = (
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Encadrant).await,
    );
    let path = format!("{STUDENTS}{}/", id_of(&stack, "student", &student).await);
    let body = json!({"university": "Oran"});
    for (method, user, status) in [
        (Method::PATCH, &other, 404),
        (Method::PATCH, &encadrant, 403),
        (Method::PATCH, &student, 200),
        (Method::PATCH, &admin, 200),
        (Method::DELETE, &other, 404),
        (Method::DELETE, &encadrant, 403),
        (Method::DELETE, &student, 403),
    ] {
        let sent = (method == Method::PATCH).then(|| body.clone());
        let response = ask(&stack, method.clone(), &path, user, sent).await;
        assert_eq!(
            response.status, status,
            "{method} {}: {}",
            user.email, response.body
        );
    }
    assert!(stub.asked().is_empty(), "nothing of this is auth-service's");

    let user_id = student.user_id;
    stub.will_answer(
        200,
        json!({"id": user_id, "email": student.email, "first_name": "Amina", "last_name": "Doe", "phone": null}),
    );
    let names = json!({"first_name": "Amina", "university": ""});
    let changed = ask(&stack, Method::PATCH, &path, &admin, Some(names)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(
        (&changed.body["first_name"], &changed.body["university"]),
        (&json!("Amina"), &Value::Null)
    );
    stub.will_answer(
        403,
        json!({"code": "FORBIDDEN", "detail": "This needs the role admin."}),
    );
    let names = json!({"first_name": "Eve", "university": "Algiers"});
    let refused = ask(&stack, Method::PATCH, &path, &admin, Some(names)).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (403, &json!("FORBIDDEN"))
    );
    stub.will_answer(204, Value::Null);
    let deleted = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    let asked = stub.asked();
    let routes: Vec<_> = asked.iter().map(|asked| asked.route.as_str()).collect();
    let user = format!("/auth/api/v1/users/{user_id}");
    assert_eq!(
        routes,
        [
            format!("PATCH {user}"),
            format!("PATCH {user}"),
            format!("DELETE {user}")
        ]
    );
    assert_eq!(
        asked[0].body,
        json!({"first_name": "Amina"}),
        "own fields stay here"
    );
    for asked in asked {
        assert_eq!(
            asked.authorization,
            format!("Bearer {}", admin.token),
            "the caller's own token"
        );
    }
    assert!(
        stack
            .profile
            .is("not exists (select from profiles_student where university is not null)")
            .await
    );
}

#[tokio::test]
async fn a_deletion_at_auth_service_erases_the_profile_with_its_own_fields() {
    let stack = people().await;
    let student = enrolled(&stack, Role::Student).await;
    let own = json!({"cin": "C1", "university": "Oran"});
    ask(
        &stack,
        Method::PATCH,
        "/profile/api/students/me",
        &student,
        Some(own),
    )
    .await;
    let body = json!({"current_password": test_support::client::PASSWORD});
    let path = "/auth/api/v1/users/me";
    let deleted = ask(&stack, Method::DELETE, path, &student, Some(body)).await;
    assert_eq!(deleted.status, 204);
    test_support::eventually(SOON, "it is erased", async || {
        stack.profile.count("profiles_student").await == 0
    })
    .await;
}
