//! auth-service from outside: the real binary, a real database, a real broker.

mod admin;
mod audit;
mod faults;
mod hostile;
mod login;
mod logs;
mod mails;
mod me;
mod openapi;
mod operators;
mod origins;
mod passwords;
mod registration;
mod repeats;
mod sessions;
mod throttle;

use events::Role;
use serde_json::json;
use test_support::{
    Stack, Unit, User,
    client::{PASSWORD, user},
    stack::Links,
};

const LOGIN: &str = "/auth/api/v1/login";

async fn auth() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    stack
}

/// An administrator who has logged in.
async fn admin(stack: &Stack) -> User {
    let registered = stack.client.register(Role::Encadrant).await;
    let id = registered.user_id;
    let statement = format!("update users_user set role = 'admin' where id = '{id}'");
    stack.auth.run(&statement).await;
    let login = json!({"email": registered.email, "password": PASSWORD});
    user(stack.client.post(LOGIN, &login).await.body)
}
