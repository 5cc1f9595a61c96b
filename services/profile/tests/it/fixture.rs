//! What the tests of people set up.

use crate::stub::Stub;
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Process, Stack, Unit,
    client::{self, Answer, PASSWORD, User},
    eventually,
    stack::Links,
};
use uuid::Uuid;

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// auth-service, and both processes of profile-service.
pub(crate) async fn people() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::Profile, Unit::ProfileConsumer])
        .await;
    stack
}

/// The same, where profile-service asks a stand-in instead of auth-service.
pub(crate) async fn people_with_stub() -> (Stack, Stub) {
    let mut stack = Stack::prepare(Links::Direct).await;
    let (stub, url) = Stub::start().await;
    stack.set("AUTH_URL", url);
    stack
        .start_units(&[Unit::Auth, Unit::Profile, Unit::ProfileConsumer])
        .await;
    (stack, stub)
}

/// A user who has a profile.
pub(crate) async fn enrolled(stack: &Stack, role: Role) -> User {
    let user = stack.client.register(role).await;
    eventually(SOON, "a profile", async || {
        stack.client.get("/profile/api/me", &user).await.status == 200
    })
    .await;
    user
}

/// Sends a request as a user.
pub(crate) async fn ask(
    stack: &Stack,
    method: Method,
    path: &str,
    user: &User,
    body: Option<Value>,
) -> Answer {
    let response = stack
        .client
        .ask(method, path, Some(&user.token), body.as_ref());
    response.await.expect("an answer")
}

/// The names of the fields that a response refuses.
pub(crate) fn field_errors(response: &Answer) -> Vec<String> {
    let errors = response.body["errors"].as_object();
    errors
        .unwrap_or_else(|| panic!("no field is refused: {}", response.body))
        .keys()
        .cloned()
        .collect()
}

/// An administrator, who has logged in.
pub(crate) async fn administrator(stack: &Stack) -> User {
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    let file = std::env::temp_dir().join(format!("password-{}", Uuid::new_v4()));
    std::fs::write(&file, PASSWORD).expect("a file");
    let file = file.to_str().expect("a path");
    let arguments = ["create-admin", "--email", &email, "--password-file", file];
    let environment = [("DATABASE_URL", stack.auth.url.clone())];
    Process::run("auth-service", &arguments, &environment).await;
    std::fs::remove_file(file).expect("it is there");
    let credentials = json!({"email": email, "password": PASSWORD});
    let login = stack.client.post("/auth/api/v1/login", &credentials).await;
    client::user(login.body)
}

/// What a user creates, as the service answers it.
pub(crate) async fn created(stack: &Stack, path: &str, user: &User, body: Value) -> Value {
    let response = ask(stack, Method::POST, path, user, Some(body)).await;
    assert_eq!(response.status, 201, "{path}: {}", response.body);
    response.body
}
