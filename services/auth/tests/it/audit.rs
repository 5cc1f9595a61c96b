//! The audit log: one row for each thing that was done, for good, and nothing personal after an erasure.

use crate::{LOGIN, admin, auth};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Process, Stack, User,
    client::{Answer, PASSWORD, newcomer},
    eventually,
};
use uuid::Uuid;

const LOGS: &str = "/auth/api/v1/audit-logs";
const USERS: &str = "/auth/api/v1/users";
const PASSWORD_CHANGE: &str = "/auth/api/v1/users/me/change-password";
const ME: &str = "/auth/api/v1/users/me";

async fn ask(stack: &Stack, method: Method, path: &str, user: &User, body: Value) -> Answer {
    let answer = stack
        .client
        .ask(method, path, Some(&user.token), Some(&body));
    answer.await.expect("auth-service answers")
}

async fn logs(stack: &Stack, admin: &User, query: &str) -> Vec<Value> {
    let answer = stack.client.get(&format!("{LOGS}?{query}"), admin).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body.as_array().expect("a list").clone()
}

/// The actions and outcomes of rows, the oldest first.
fn actions(rows: &[Value]) -> Vec<(&str, &str)> {
    let mut actions = Vec::new();
    for row in rows.iter().rev() {
        let text = |name: &str| row[name].as_str().expect("a text");
        actions.push((text("action"), text("outcome")));
    }
    actions
}

#[tokio::test]
async fn what_is_done_to_a_user_is_one_row_each_and_who_did_it() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let wrong = json!({"email": user.email.to_uppercase(), "password": "not the password"});
    assert_eq!(stack.client.post(LOGIN, &wrong).await.status, 401);
    let right = json!({"email": user.email, "password": PASSWORD});
    assert_eq!(stack.client.post(LOGIN, &right).await.status, 200);
    let path = format!("{USERS}/{}", user.user_id);
    let email = json!({"email": "new@example.com", "current_password": PASSWORD});
    let new_password = "another long password of mine";
    let password = json!({"current_password": PASSWORD, "new_password": new_password});
    let steps = [
        (Method::PATCH, ME, &user, json!({"first_name": "Jo"})),
        (Method::PATCH, ME, &user, json!({"first_name": "Jo"})),
        (Method::POST, "/auth/api/v1/users/me/email", &user, email),
        (Method::POST, PASSWORD_CHANGE, &user, password),
        (Method::PATCH, &path, &admin, json!({"is_active": false})),
        (Method::PATCH, &path, &admin, json!({"is_active": true})),
        (
            Method::PATCH,
            &path,
            &admin,
            json!({"role": "encadrant", "last_name": "X"}),
        ),
    ];
    for (method, path, actor, body) in steps {
        let answer = ask(&stack, method, path, actor, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    let query = format!("user_id={}", user.user_id);
    let rows = logs(&stack, &admin, &query).await;
    let expected = [
        ("register", "done"),
        ("login", "failed"),
        ("login", "done"),
        ("change_user", "done"),
        ("change_email", "done"),
        ("change_password", "done"),
        ("disable_user", "done"),
        ("enable_user", "done"),
        ("change_role", "done"),
    ];
    assert_eq!(actions(&rows), expected);
    let actors: Vec<&Value> = rows.iter().rev().map(|row| &row["actor"]).collect();
    let (own, by_admin) = (json!(user.user_id), json!(admin.user_id));
    let (null, own, by_admin) = (&Value::Null, &own, &by_admin);
    let expected = [own, null, own, own, own, own, by_admin, by_admin, by_admin];
    assert_eq!(actors, expected);
    assert!(rows.iter().all(|row| row["subject"] == *own));
    let addresses: Vec<&Value> = rows.iter().rev().map(|row| &row["address"]).collect();
    assert!(addresses[0].is_string(), "each registers from another one");
    assert!(
        addresses[1..]
            .iter()
            .all(|address| **address == "127.0.0.1")
    );
    let failed = rows.iter().find(|row| row["outcome"] == "failed").unwrap();
    assert_eq!(failed["email"], json!(user.email));

    let deleted = ask(&stack, Method::DELETE, &path, &admin, json!({})).await;
    assert_eq!(deleted.status, 204);
    let rows = logs(&stack, &admin, &format!("{query}&action=delete_user")).await;
    assert_eq!((rows.len(), &rows[0]["actor"]), (1, by_admin));
}

#[tokio::test]
async fn the_end_of_a_session_is_one_row() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let login = json!({"email": user.email, "password": PASSWORD});
    let log_in = async || test_support::client::user(stack.client.post(LOGIN, &login).await.body);
    let (second, third, fourth) = (log_in().await, log_in().await, log_in().await);
    let sessions = "/auth/api/v1/sessions";
    let listed = stack.client.get(sessions, &fourth).await.body;
    let of_second = listed[2]["id"].as_str().expect("an id");
    for (method, path, user) in [
        (Method::POST, "/auth/api/v1/logout", &third),
        (Method::POST, "/auth/api/v1/logout", &third),
        (Method::DELETE, &format!("{sessions}/{of_second}"), &fourth),
        (Method::DELETE, sessions, &fourth),
    ] {
        let ended = ask(&stack, method, path, user, json!({})).await;
        // A session that has ended may be refused.
        assert!(matches!(ended.status, 204 | 401), "{path}: {}", ended.body);
    }
    let stolen = json!({"refresh_token": second.body["refresh_token"]});
    let refused = stack.client.post("/auth/api/v1/refresh", &stolen).await;
    assert_eq!(refused.status, 401);
    let rows = logs(&stack, &admin, &format!("user_id={}", user.user_id)).await;
    let expected = ["logout", "revoke_sessions", "revoke_sessions"];
    let ends: Vec<&str> = actions(&rows[..3])
        .iter()
        .map(|(action, _)| *action)
        .collect();
    assert_eq!(ends, expected);
}

#[tokio::test]
async fn a_refresh_token_that_is_used_after_its_time_is_one_row() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let token = json!({"refresh_token": user.body["refresh_token"]});
    let refresh = async || {
        stack
            .client
            .post("/auth/api/v1/refresh", &token)
            .await
            .status
    };
    assert_eq!(refresh().await, 200);
    let late = "update users_used_refresh_token set used_at = used_at - interval '31 seconds'";
    stack.auth.run(late).await;
    assert_eq!((refresh().await, refresh().await), (401, 401));
    let rows = logs(&stack, &admin, "action=reuse_refresh_token").await;
    let row = (rows.len(), &rows[0]["outcome"], &rows[0]["subject"]);
    assert_eq!(row, (1, &json!("failed"), &json!(user.user_id)));
    let from = (&rows[0]["actor"], &rows[0]["address"]);
    assert_eq!(from, (&Value::Null, &json!("127.0.0.1")));
}

#[tokio::test]
async fn repeats_of_a_refresh_are_one_row_with_their_number() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let refresh = async |token: &Value| {
        let body = json!({"refresh_token": token});
        let response = stack.client.post("/auth/api/v1/refresh", &body).await;
        assert_eq!(response.status, 200, "{}", response.body);
        response.body["refresh_token"].clone()
    };
    let first = &user.body["refresh_token"];
    let second = refresh(first).await;
    for _ in 0..3 {
        assert_eq!(refresh(first).await, second);
    }
    refresh(&second).await;
    let over = "update users_used_refresh_token set used_at = now() - interval '61 seconds'";
    stack.auth.run(over).await;
    eventually(
        Duration::from_secs(20),
        "the tokens are deleted",
        async || stack.auth.count("users_used_refresh_token").await == 0,
    )
    .await;
    let rows = logs(&stack, &admin, "action=repeat_refresh").await;
    assert_eq!(
        rows.len(),
        1,
        "no row for a token that was used once: {rows:?}"
    );
    let row = (&rows[0]["times"], &rows[0]["subject"], &rows[0]["outcome"]);
    assert_eq!(row, (&json!(3), &json!(user.user_id), &json!("done")));
}

#[tokio::test]
async fn what_is_refused_or_repeated_writes_no_second_row() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let mut body = newcomer(Role::Student);
    body["id"] = json!(Uuid::now_v7());
    for _ in 0..2 {
        let created = ask(&stack, Method::POST, USERS, &admin, body.clone()).await;
        assert_eq!(created.status, 201, "{}", created.body);
    }
    body["id"] = json!(Uuid::now_v7());
    let refused = ask(&stack, Method::POST, USERS, &admin, body.clone()).await;
    assert_eq!(refused.status, 409);
    let own = format!("{USERS}/{}", admin.user_id);
    let refused = ask(&stack, Method::DELETE, &own, &admin, json!({})).await;
    assert_eq!(refused.status, 409);
    let rows = logs(&stack, &admin, &format!("user_id={}", admin.user_id)).await;
    let expected = [
        ("register", "done"),
        ("login", "done"),
        ("create_user", "done"),
    ];
    assert_eq!(actions(&rows), expected);
    assert_eq!(rows[0]["email"], body["email"]);
}

#[tokio::test]
async fn commands_on_the_server_write_rows_without_an_actor() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let file = std::env::temp_dir().join(format!("password-{}", Uuid::new_v4()));
    std::fs::write(&file, PASSWORD).unwrap();
    let path = file.to_str().unwrap();
    let create = [
        "create-admin",
        "--email",
        "root@example.com",
        "--password-file",
        path,
    ];
    for arguments in [&create[..], &["keys", "rotate"]] {
        let environment = [("DATABASE_URL", stack.auth.url.clone())];
        Process::run("auth-service", arguments, &environment).await;
    }
    std::fs::remove_file(file).unwrap();
    for (action, has_subject) in [("create_admin", true), ("rotate_key", false)] {
        let rows = logs(&stack, &admin, &format!("action={action}")).await;
        assert_eq!(rows.len(), 1, "{action}");
        assert_eq!(rows[0]["subject"].is_string(), has_subject, "{action}");
        assert!(rows[0]["actor"].is_null(), "{action}");
    }
}

#[tokio::test]
async fn the_log_is_append_only() {
    let stack = auth().await;
    stack.client.register(Role::Student).await;
    for statement in [
        "update users_audit set outcome = 'failed'",
        "delete from users_audit",
        "truncate users_audit cascade",
        "update users_audit_detail set email = 'another@example.com'",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&stack.auth.pool).await;
        let error = refused.expect_err(statement).to_string();
        assert!(error.contains("append-only"), "{statement}: {error}");
    }
    assert_eq!(stack.auth.count("users_audit").await, 1);
}

#[tokio::test]
async fn an_erasure_leaves_ids_and_nothing_that_names_the_person() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let user = stack.client.register(Role::Student).await;
    let wrong = json!({"email": user.email, "password": "not the password"});
    stack.client.post(LOGIN, &wrong).await;
    let change = json!({"email": "new@example.com", "current_password": PASSWORD});
    let changed = ask(
        &stack,
        Method::POST,
        "/auth/api/v1/users/me/email",
        &user,
        change,
    )
    .await;
    assert_eq!(changed.status, 200);
    // The old address names nobody now, and a person may still type it.
    stack.client.post(LOGIN, &wrong).await;
    let other = stack.client.register(Role::Student).await;
    let password = json!({"current_password": PASSWORD});
    assert_eq!(
        ask(&stack, Method::DELETE, ME, &user, password)
            .await
            .status,
        204
    );

    let of_user = format!(
        "users_audit_detail join users_audit on audit_id = id where '{}' in (actor, subject)",
        user.user_id
    );
    assert_eq!(stack.auth.count(&of_user).await, 0);
    let named = "users_audit_detail where email = 'new@example.com'";
    assert_eq!(stack.auth.count(named).await, 0);
    let rows = logs(&stack, &admin, &format!("user_id={}", user.user_id)).await;
    assert_eq!(rows.len(), 4, "the ids stay: {rows:?}");
    assert!(
        rows.iter()
            .all(|row| row["email"].is_null() && row["address"].is_null())
    );
    let rows = logs(&stack, &admin, &format!("user_id={}", other.user_id)).await;
    assert_eq!(rows[0]["email"], json!(other.email), "others keep theirs");
}

#[tokio::test]
async fn an_id_that_a_deleted_user_had_is_not_given_again() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    let mut body = newcomer(Role::Student);
    body["id"] = json!(Uuid::now_v7());
    let created = ask(&stack, Method::POST, USERS, &admin, body.clone()).await;
    assert_eq!(created.status, 201);
    let path = format!("{USERS}/{}", body["id"].as_str().unwrap());
    assert_eq!(
        ask(&stack, Method::DELETE, &path, &admin, json!({}))
            .await
            .status,
        204
    );
    let refused = ask(&stack, Method::POST, USERS, &admin, body).await;
    assert_eq!(
        refused.body["code"], "ID_TAKEN",
        "the other services erased this id"
    );
}

#[tokio::test]
async fn administrators_filter_the_log_and_nobody_else_reads_it() {
    let stack = auth().await;
    let admin = admin(&stack).await;
    for role in [Role::Student, Role::Encadrant] {
        let user = stack.client.register(role).await;
        let refused = stack.client.get(LOGS, &user).await;
        let (status, code) = (refused.status, &refused.body["code"]);
        assert_eq!((status, code), (403, &json!("FORBIDDEN")));
    }
    let all = logs(&stack, &admin, "").await;
    assert_eq!(all.len(), 4, "three registrations and a log-in");
    let times: Vec<&str> = all.iter().filter_map(|row| row["at"].as_str()).collect();
    let mut sorted = times.clone();
    sorted.sort_unstable();
    sorted.reverse();
    assert_eq!(times, sorted, "the newest first");
    let second = times[2];
    assert_eq!(
        logs(&stack, &admin, &format!("from={second}")).await.len(),
        3
    );
    assert_eq!(logs(&stack, &admin, &format!("to={second}")).await.len(), 1);
    assert_eq!(logs(&stack, &admin, "action=login").await.len(), 1);
    let page = stack
        .client
        .get(&format!("{LOGS}?page=2&limit=3"), &admin)
        .await;
    let (total, rows) = (&page.body["total"], page.body["data"].as_array());
    assert_eq!((total, rows.map(Vec::len)), (&json!(4), Some(1)));
    for bad in ["action=everything", "from=yesterday", "user_id=1"] {
        let refused = stack.client.get(&format!("{LOGS}?{bad}"), &admin).await;
        assert_eq!(refused.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_password_in_the_wrong_field_is_not_kept_and_details_go_after_a_year() {
    let stack = auth().await;
    let wrong = json!({"email": PASSWORD, "password": PASSWORD});
    assert_eq!(stack.client.post(LOGIN, &wrong).await.status, 401);
    let failed = "users_audit join users_audit_detail on audit_id = id
                  where outcome = 'failed' and subject is null and email is null";
    assert_eq!(stack.auth.count(failed).await, 1);
    let old = "with entry as (
                   insert into users_audit (id, at, action, outcome)
                   values (gen_random_uuid(), now() - interval '366 days', 'login', 'failed') returning id, at)
               insert into users_audit_detail (audit_id, at, address) select id, at, '192.0.2.1' from entry";
    stack.auth.run(old).await;
    eventually(Duration::from_secs(30), "the detail goes", async || {
        stack.auth.count("users_audit_detail").await == 1
    })
    .await;
    assert_eq!(stack.auth.count("users_audit").await, 2);
}
