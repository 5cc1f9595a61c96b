//! What administrators do with users, and which events follow.

use crate::{LOGIN, admin, auth};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{
    Stack, User,
    client::{Answer, PASSWORD, newcomer},
};
use uuid::Uuid;

const USERS: &str = "/auth/api/v1/users";

async fn ask(stack: &Stack, method: Method, path: &str, user: &User, body: Value) -> Answer {
    let body = (method != Method::GET).then_some(&body);
    let answer = stack.client.ask(method, path, Some(&user.token), body);
    answer.await.expect("auth-service answers")
}

async fn create(stack: &Stack, creator: &User, body: Value) -> Answer {
    ask(stack, Method::POST, USERS, creator, body).await
}

async fn change(stack: &Stack, actor: &User, user: &User, body: Value) -> Answer {
    let path = format!("{USERS}/{}", user.user_id);
    ask(stack, Method::PATCH, &path, actor, body).await
}

/// How many events of this key are in the outbox.
async fn announced(stack: &Stack, key: &str) -> i64 {
    let from = format!("outbox where routing_key = '{key}'");
    stack.auth.count(&from).await
}

fn emails(answer: &Answer) -> Vec<&str> {
    let users = answer.body.get("data").unwrap_or(&answer.body);
    let users = users.as_array().expect("a list");
    users
        .iter()
        .filter_map(|user| user["email"].as_str())
        .collect()
}

#[tokio::test]
async fn only_administrators_open_the_users_and_encadrants_create_students_only() {
    let stack = auth().await;
    let student = stack.client.register(Role::Student).await;
    let encadrant = stack.client.register(Role::Encadrant).await;
    let one = format!("{USERS}/{}", student.user_id);
    for user in [&student, &encadrant] {
        for (method, path) in [
            (Method::GET, USERS),
            (Method::GET, &one),
            (Method::PATCH, &one),
            (Method::DELETE, &one),
        ] {
            // The body is wrong, too: who has no right does not learn that.
            let refused = ask(&stack, method, path, user, json!({"x": 1})).await;
            let (status, code) = (refused.status, &refused.body["code"]);
            assert_eq!((status, code), (403, &json!("FORBIDDEN")));
        }
    }
    let refused = create(&stack, &student, newcomer(Role::Student)).await;
    assert_eq!(refused.body["code"], "FORBIDDEN");
    let anonymous = stack.client.ask(Method::GET, USERS, None, None).await;
    assert_eq!(anonymous.unwrap().body["code"], "NO_TOKEN");

    for role in [Role::Admin, Role::Encadrant] {
        let refused = create(&stack, &encadrant, newcomer(role)).await;
        let (status, code) = (refused.status, &refused.body["code"]);
        assert_eq!((status, code), (403, &json!("ROLE_NOT_ALLOWED")));
    }
    assert_eq!(stack.auth.count("users_user").await, 2);
    let created = create(&stack, &encadrant, newcomer(Role::Student)).await;
    let (status, role) = (created.status, &created.body["role"]);
    assert_eq!((status, role), (201, &json!("student")));
}

#[tokio::test]
async fn an_administrator_creates_users_of_any_role_and_a_repeat_changes_nothing() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let before = announced(&stack, "auth.user.created").await;
    let mut body = newcomer(Role::Admin);
    let id = Uuid::now_v7();
    body["id"] = json!(id);
    let created = create(&stack, &admin, body.clone()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(created.body["id"], json!(id));
    assert!(created.body.get("access_token").is_none(), "no tokens");
    body["email"] = json!(body["email"].as_str().unwrap().to_uppercase());
    let repeats = [body.clone(), body.clone(), body.clone()];
    let repeats = repeats.map(|body| create(&stack, &admin, body));
    for repeat in futures_util::future::join_all(repeats).await {
        assert_eq!((repeat.status, &repeat.body), (201, &created.body));
    }
    let login = json!({"email": body["email"], "password": PASSWORD});
    assert_eq!(stack.client.post(LOGIN, &login).await.status, 200);

    let mut other = newcomer(Role::Student);
    other["id"] = json!(id);
    let taken = create(&stack, &admin, other.clone()).await;
    let (status, code) = (taken.status, &taken.body["code"]);
    assert_eq!((status, code), (409, &json!("ID_TAKEN")));
    body["id"] = json!(Uuid::now_v7());
    let taken = create(&stack, &admin, body).await;
    let (status, code) = (taken.status, &taken.body["code"]);
    assert_eq!((status, code), (409, &json!("EMAIL_TAKEN")));
    assert_eq!(announced(&stack, "auth.user.created").await, before + 1);
}

#[tokio::test]
async fn concurrent_repeats_of_a_creation_make_one_user() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let mut body = newcomer(Role::Encadrant);
    body["id"] = json!(Uuid::now_v7());
    let repeats = (0..8).map(|_| create(&stack, &admin, body.clone()));
    for repeat in futures_util::future::join_all(repeats).await {
        assert_eq!((repeat.status, &repeat.body["id"]), (201, &body["id"]));
    }
    let id = body["id"].as_str().unwrap();
    let events = format!("outbox where aggregate_id = '{id}'");
    assert_eq!(stack.auth.count(&events).await, 1);
}

#[tokio::test]
async fn a_user_without_a_password_exists_and_cannot_log_in() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let mut body = newcomer(Role::Student);
    body.as_object_mut().unwrap().remove("password");
    let created = create(&stack, &admin, body.clone()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    for password in ["", " ", PASSWORD] {
        let login = json!({"email": body["email"], "password": password});
        assert_eq!(stack.client.post(LOGIN, &login).await.status, 401);
    }
    body["password"] = json!("short");
    let refused = create(&stack, &admin, body).await;
    assert!(refused.body["errors"]["password"].is_array());
}

#[tokio::test]
async fn a_change_is_one_event_and_a_new_role_has_an_event_of_its_own() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let names = json!({"first_name": "Jo", "phone": "+33 1"});
    let changed = change(&stack, &admin, &user, names.clone()).await;
    let (status, name) = (changed.status, &changed.body["first_name"]);
    assert_eq!((status, name), (200, &json!("Jo")));
    let same = change(&stack, &admin, &user, names).await;
    assert_eq!(same.body, changed.body, "nothing changed");
    assert_eq!(announced(&stack, "auth.user.updated").await, 1);
    assert_eq!(announced(&stack, "auth.session.revoked").await, 0);

    let tap = stack.vhost.tap("auth.user.role_changed").await;
    let role = json!({"role": "encadrant", "last_name": null, "is_active": true});
    let changed = change(&stack, &admin, &user, role.clone()).await;
    let (role_now, name) = (&changed.body["role"], &changed.body["last_name"]);
    assert_eq!((role_now, name), (&json!("encadrant"), &json!("")));
    let event = tap.hear(|_| true).await.json();
    assert_eq!(event["_meta"]["aggregate_version"], 3);
    let payload = &event["payload"];
    assert_eq!(payload["changes"], json!(["last_name", "role"]));
    let roles = [&payload["role"], &payload["old_role"], &payload["new_role"]];
    assert_eq!(roles, ["encadrant", "student", "encadrant"]);
    assert_eq!(payload["is_active"], true);
    assert_eq!(change(&stack, &admin, &user, role).await.status, 200);
    assert_eq!(announced(&stack, "auth.user.role_changed").await, 1);
    assert_eq!(announced(&stack, "auth.user.updated").await, 1);
    assert_eq!(announced(&stack, "auth.session.revoked").await, 1);
}

#[tokio::test]
async fn a_disabled_user_cannot_log_in_and_the_sessions_end() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let disabled = change(&stack, &admin, &user, json!({"is_active": false})).await;
    let (status, is_active) = (disabled.status, &disabled.body["is_active"]);
    assert_eq!((status, is_active), (200, &json!(false)));
    let open = format!(
        "users_session where user_id = '{}' and not revoked",
        user.user_id
    );
    assert_eq!(stack.auth.count(&open).await, 0);
    assert_eq!(announced(&stack, "auth.session.revoked").await, 1);
    let event = "outbox where routing_key = 'auth.user.updated'
                 and envelope #>> '{payload,is_active}' = 'false'";
    assert_eq!(stack.auth.count(event).await, 1);
    let login = json!({"email": user.email, "password": PASSWORD});
    assert_eq!(stack.client.post(LOGIN, &login).await.status, 401);
    for wrong in [json!(null), json!("false"), json!(0)] {
        let refused = change(&stack, &admin, &user, json!({"is_active": wrong})).await;
        assert!(
            refused.body["errors"]["is_active"].is_array(),
            "{}",
            refused.body
        );
    }
    change(&stack, &admin, &user, json!({"is_active": true})).await;
    assert_eq!(stack.client.post(LOGIN, &login).await.status, 200);
}

#[tokio::test]
async fn what_names_no_user_is_not_found() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    for id in ["nobody", "0", &Uuid::now_v7().to_string()] {
        let path = format!("{USERS}/{id}");
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let missing = ask(&stack, method, &path, &admin, json!({})).await;
            assert_eq!(missing.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn a_user_who_is_deleted_by_an_administrator_is_gone_and_announced() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let path = format!("{USERS}/{}", user.user_id);
    let read = stack.client.get(&path, &admin).await;
    assert_eq!((read.status, &read.body), (200, &user.body["user"]));
    let wrong = json!({"email": user.email, "password": "not the password"});
    stack.client.post(LOGIN, &wrong).await;
    let tap = stack.vhost.tap("auth.user.deleted").await;
    let deleted = ask(&stack, Method::DELETE, &path, &admin, json!({})).await;
    assert_eq!(deleted.status, 204);
    let event = tap.hear(|_| true).await.json();
    let expected = json!({"user_id": user.user_id, "email": user.email});
    assert_eq!(event["payload"], expected);
    let again = ask(&stack, Method::DELETE, &path, &admin, json!({})).await;
    assert_eq!(again.status, 404);
    for table in ["users_user", "users_session"] {
        let left = format!("{table} as row where row::text like '%{}%'", user.user_id);
        assert_eq!(stack.auth.count(&left).await, 0, "{table}");
    }
    assert_eq!(stack.auth.count("users_login_failure").await, 0);
}

#[tokio::test]
async fn the_last_administrator_stays_and_none_changes_the_own_role() {
    let stack = auth().await;
    let last = admin(&stack).await;
    let path = format!("{USERS}/{}", last.user_id);
    let own = change(&stack, &last, &last, json!({"role": "student"})).await;
    let (status, code) = (own.status, &own.body["code"]);
    assert_eq!((status, code), (409, &json!("OWN_ROLE")));
    let password = json!({"current_password": PASSWORD});
    let me = "/auth/api/v1/users/me";
    for refused in [
        change(&stack, &last, &last, json!({"is_active": false})).await,
        ask(&stack, Method::DELETE, &path, &last, json!({})).await,
        ask(&stack, Method::DELETE, me, &last, password).await,
    ] {
        let (status, code) = (refused.status, &refused.body["code"]);
        assert_eq!((status, code), (409, &json!("LAST_ADMIN")));
    }
    let same = json!({"role": "admin", "first_name": "Root", "is_active": true});
    assert_eq!(change(&stack, &last, &last, same).await.status, 200);

    let second = admin(&stack).await;
    let disabled = change(&stack, &last, &second, json!({"is_active": false})).await;
    assert_eq!(disabled.status, 200);
    let refused = ask(&stack, Method::DELETE, &path, &last, json!({})).await;
    assert_eq!(
        refused.body["code"], "LAST_ADMIN",
        "the second cannot log in"
    );
}

#[tokio::test]
async fn two_administrators_who_demote_each_other_leave_one() {
    let stack = auth().await;
    let (a, b) = (admin(&stack).await, admin(&stack).await);
    let demotion = || json!({"role": "student"});
    let (first, second) = tokio::join!(
        change(&stack, &a, &b, demotion()),
        change(&stack, &b, &a, demotion())
    );
    let mut answers = [first.status, second.status];
    answers.sort_unstable();
    // The sessions of the one who was demoted may have ended before the own request.
    assert!(matches!(answers, [200, 401 | 403 | 409]), "{answers:?}");
    assert_eq!(stack.auth.count("users_user where role = 'admin'").await, 1);
}

#[tokio::test]
async fn users_are_searched_filtered_sorted_and_paged() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    for (email, first_name, last_name, role) in [
        ("zoe@ward.example", "Zoé", "Lefèvre", "encadrant"),
        ("omar_50%@ward.example", "Omar", "Benali", "student"),
        ("amina@ward.example", "Amina", "Benali", "student"),
    ] {
        let user =
            json!({"email": email, "first_name": first_name, "last_name": last_name, "role": role});
        assert_eq!(create(&stack, &admin, user).await.status, 201);
    }
    let list = async |query: &str| stack.client.get(&format!("{USERS}?{query}"), &admin).await;
    for (query, expected) in [
        (
            "search=BENALI",
            &["amina@ward.example", "omar_50%@ward.example"][..],
        ),
        (
            "search=benali&sort=first_name",
            &["amina@ward.example", "omar_50%@ward.example"],
        ),
        (
            "search=benali&sort=-first_name",
            &["omar_50%@ward.example", "amina@ward.example"],
        ),
        ("search=ward&sort=-last_name&limit=1", &["zoe@ward.example"]),
        (
            "search=ward&sort=email&limit=1&page=2",
            &["omar_50%@ward.example"],
        ),
        ("search=ward&role=encadrant", &["zoe@ward.example"]),
        ("search=ward&is_active=false", &[]),
        ("search=amina%20benali", &["amina@ward.example"]),
        ("search=LEF%C3%88VRE", &["zoe@ward.example"]),
        (
            "search=be",
            &["amina@ward.example", "omar_50%@ward.example"],
        ),
        ("search=en", &[]),
        ("search=_50%25", &["omar_50%@ward.example"]),
        ("search=%25%25%25", &[]),
        ("search=a_i_a", &[]),
    ] {
        let answer = list(query).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        assert_eq!(emails(&answer), expected, "{query}");
    }
    let page = list("limit=3&unknown=1").await.body;
    let figures = ["total", "page", "per_page", "total_pages"].map(|name| page[name].clone());
    assert_eq!(figures, [4, 1, 3, 2].map(Value::from));
    assert_eq!(emails(&list("").await).len(), 4, "a bare array");
    for bad in [
        "sort=password_hash",
        "role=root",
        "is_active=perhaps",
        "page=0",
    ] {
        assert_eq!(list(bad).await.status, 400, "{bad}");
    }
    let body = list("").await.body.to_string();
    assert!(!body.contains("argon2"), "no hash leaves the service");
}
