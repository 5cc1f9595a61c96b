//! Bodies that try to get more than they may.

use crate::{LOGIN, auth};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::client::{PASSWORD, REGISTER, newcomer};

const ME: &str = "/auth/api/v1/users/me";

/// Fields of the database, of an answer, and of other frameworks, which a body of a client never sets.
const FIELDS: [&str; 18] = [
    "id",
    "user_id",
    "sub",
    "is_admin",
    "is_active",
    "is_staff",
    "is_superuser",
    "email_verified",
    "password_hash",
    "profile_id",
    "profile_version",
    "version",
    "created_at",
    "updated_at",
    "permissions",
    "__proto__",
    "constructor",
    "Role",
];

#[tokio::test]
async fn role_case_and_unicode_tricks() {
    let stack = auth().await;
    let tricks = [
        json!("ADMIN"),
        json!("Admin"),
        json!("aDmIn"),
        json!("admin "),
        json!(" admin"),
        json!("\tadmin"),
        json!("admin\u{0}"),
        json!("ａｄｍｉｎ"),
        json!("аdmin"),
        json!("admın"),
        json!("admin\u{200b}"),
        json!("\u{feff}admin"),
        json!("adm\u{ad}in"),
        json!("admin\u{301}"),
        json!("root"),
        json!("superuser"),
        json!("student,admin"),
        json!(""),
        json!(["admin"]),
        json!(["student", "admin"]),
        json!({"name": "admin"}),
        json!(2),
        json!(true),
    ];
    for trick in tricks {
        let mut body = newcomer(Role::Student);
        body["role"] = trick.clone();
        let refused = stack.client.post(REGISTER, &body).await;
        assert_eq!(refused.status, 400, "{trick}: {}", refused.body);
        assert!(refused.body["errors"]["role"].is_array(), "{trick}");
    }
    // The second of two values counts in many libraries.
    for twice in [
        r#""role": "student", "role": "admin""#,
        r#""role": "admin", "role": "student""#,
    ] {
        let password = json!(PASSWORD);
        let body = format!(r#"{{"email": "a@example.com", "password": {password}, {twice}}}"#);
        let request = reqwest::Client::new().post(stack.client.url(REGISTER));
        let request = request.header("content-type", "application/json");
        let status = request.body(body).send().await.unwrap().status();
        assert!(status.is_client_error(), "{twice}: {status}");
    }
    assert_eq!(stack.auth.count("users_user").await, 0);
    assert_eq!(stack.auth.count("outbox").await, 0);
}

#[tokio::test]
async fn unknown_fields_refused() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let credentials = json!({"email": user.email, "password": PASSWORD});
    let password = json!({"current_password": PASSWORD});
    let email = json!({"email": "new@example.com", "current_password": PASSWORD});
    let change_email = format!("{ME}/email");
    let routes = [
        (Method::POST, REGISTER, newcomer(Role::Student)),
        (Method::POST, LOGIN, credentials),
        (Method::PATCH, ME, json!({"first_name": "Eve"})),
        (Method::POST, change_email.as_str(), email),
        (Method::DELETE, ME, password),
    ];
    let content = "select md5(string_agg(u::text, ',' order by id)) from users_user u";
    let before = stack.auth.value(content).await;
    for (method, path, good) in routes {
        for field in FIELDS {
            let mut body = good.clone();
            body[field] = json!(true);
            let token = Some(user.token.as_str());
            let refused = stack
                .client
                .ask(method.clone(), path, token, Some(&body))
                .await;
            let refused = refused.unwrap();
            assert_eq!(refused.status, 400, "{method} {path}: {field}");
            let fields = refused.body["errors"].as_object().unwrap();
            let fields: Vec<&String> = fields.keys().collect();
            assert_eq!(fields, [field], "{method} {path}");
        }
    }
    assert_eq!(stack.auth.value(content).await, before);
    let sessions = stack.auth.count("users_session").await;
    assert_eq!(sessions, 1, "no log-in, no registration");
    let me = stack.client.get(ME, &user).await;
    assert_eq!((me.status, &me.body), (200, &user.body["user"]));
    assert_eq!(me.body["role"], Value::from("student"));
}
