//! What operators do.

use events::Role;
use serde_json::json;
use std::time::Duration;
use test_support::{Database, Process, Stack, Unit, client::PASSWORD, stack::Links};

async fn auth() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    stack
}

#[tokio::test]
async fn an_administrator_is_made_on_the_server_and_announced() {
    let stack = auth().await;
    let tap = stack.vhost.tap("auth.user.created").await;
    let file = std::env::temp_dir().join(format!("password-{}", uuid::Uuid::new_v4()));
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let arguments = [
        "create-admin",
        "--email",
        "root@example.com",
        "--password-file",
        file.to_str().unwrap(),
    ];
    let environment = [("DATABASE_URL", stack.auth.url.clone())];
    let output = Process::run("auth-service", &arguments, &environment).await;
    assert!(
        output
            .iter()
            .any(|line| line.contains("Administrator created")),
        "{output:?}"
    );
    assert!(
        !output
            .iter()
            .any(|line| line.contains(PASSWORD) || line.contains("root@example.com")),
        "{output:?}"
    );
    let event = tap.hear(|_| true).await.json();
    assert_eq!(event["payload"]["role"], "admin");
    let credentials = json!({"email": "root@example.com", "password": PASSWORD});
    let login = stack.client.post("/auth/api/v1/login", &credentials).await;
    assert_eq!(login.body["user"]["role"], "admin");

    let mut again = Process::start("auth-service", &arguments, &environment);
    assert!(
        !again.exit(Duration::from_secs(10)).await.success(),
        "the e-mail is taken"
    );
    again.line("a user with this e-mail exists already").await;
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn rotating_the_keys_keeps_users_logged_in() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    Process::run(
        "auth-service",
        &["keys", "rotate"],
        &[("DATABASE_URL", stack.auth.url.clone())],
    )
    .await;
    assert_eq!(
        stack
            .auth
            .count("users_signing_key where retired_at is null")
            .await,
        1
    );
    assert_eq!(stack.auth.count("users_signing_key").await, 2);
    let mut restarted = stack;
    restarted.kill(Unit::Auth).await;
    restarted.start_units(&[Unit::Auth]).await;
    assert_eq!(
        restarted
            .client
            .get("/auth/api/v1/users/me", &user)
            .await
            .status,
        200
    );
    let keys = restarted
        .client
        .post("/auth/.well-known/jwks.json", &json!({}))
        .await;
    assert_eq!(keys.status, 405);
    let keys = restarted
        .client
        .get("/auth/.well-known/jwks.json", &user)
        .await;
    assert_eq!(keys.body["keys"].as_array().unwrap().len(), 2);
    assert!(!keys.body.to_string().contains("\"d\""), "no private part");
}

#[tokio::test]
async fn the_keys_are_listed_for_people_and_for_programs() {
    let stack = auth().await;
    let environment = [("DATABASE_URL", stack.auth.url.clone())];
    let keys = async |arguments: &[&str]| {
        let arguments = [&["keys"], arguments].concat();
        Process::run("auth-service", &arguments, &environment).await
    };
    keys(&["rotate"]).await;
    let table = keys(&["list"]).await;
    let has = |word: &str| table.iter().filter(|line| line.contains(word)).count();
    let counts = ["published until", "  next ", "  signs "].map(has);
    assert_eq!(counts, [1, 1, 2], "{table:?}");
    let output = keys(&["list", "--json"]).await.join("\n");
    let json: serde_json::Value = serde_json::from_str(&output).expect("JSON");
    let listed = json.as_array().expect("a list");
    assert_eq!(listed.len(), 2);
    assert_eq!(
        (&listed[0]["state"], &listed[1]["state"]),
        (&json!("next"), &json!("signs"))
    );
    assert!(listed[0]["retired_at"].is_null() && listed[1]["published_until"].is_string());
    assert!(
        !json.to_string().contains("private"),
        "the private part stays"
    );
}

#[tokio::test]
async fn migrating_twice_is_harmless_and_an_old_schema_is_refused() {
    let database = Database::empty().await;
    let environment = [
        ("DATABASE_URL", database.url.clone()),
        ("AMQP_URL", "amqp://127.0.0.1:1/%2f".to_owned()),
    ];
    let mut refused = Process::start("auth-service", &["serve"], &environment);
    assert!(!refused.exit(Duration::from_secs(10)).await.success());
    refused.line("try: auth-service migrate").await;
    Process::run("auth-service", &["migrate"], &environment).await;
    Process::run("auth-service", &["migrate"], &environment).await;
    assert_eq!(database.count("users_signing_key").await, 1);
}

#[tokio::test]
async fn a_missing_address_is_reported_with_the_next_step() {
    let mut process = Process::start("auth-service", &["serve"], &[]);
    assert!(!process.exit(Duration::from_secs(10)).await.success());
    process
        .line("DATABASE_URL is missing; set DATABASE_URL or DATABASE_URL_FILE")
        .await;
}
