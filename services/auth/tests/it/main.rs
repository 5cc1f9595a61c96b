//! auth-service from outside: the real binary, a real database, a real broker.

mod addresses;
mod admin;
mod audit;
mod compat;
mod cookies;
mod faults;
mod hostile;
mod links;
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
use reqwest::Response;
use serde_json::json;
use std::net::SocketAddr;
use test_support::{
    SmtpServer, Stack, Unit, User,
    client::{PASSWORD, user},
    stack::Links,
};

const LOGIN: &str = "/auth/api/v1/login";

async fn auth() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    stack
}

/// The service with a mail server.
async fn auth_with_mail(server: &SmtpServer) -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.set("MAIL_URL", format!("smtp://{}", server.address));
    stack.set("PUBLIC_URL", "http://localhost:8080/");
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

/// A try to log in, with what the client says about itself.
#[derive(Clone, Copy)]
struct Try<'a> {
    email: &'a str,
    password: &'a str,
    device: Option<&'a str>,
    address: Option<&'a str>,
    /// Where the API listens; at the stack's own address when absent.
    api: Option<SocketAddr>,
}

impl<'a> Try<'a> {
    fn new(email: &'a str, password: &'a str) -> Self {
        Self {
            email,
            password,
            device: None,
            address: None,
            api: None,
        }
    }

    async fn send(&self, stack: &Stack) -> Response {
        let mut body = json!({"email": self.email, "password": self.password});
        if let Some(device) = self.device {
            body["device"] = device.into();
        }
        let api = self.api.unwrap_or_else(|| stack.http(Unit::Auth));
        let mut request = reqwest::Client::new().post(format!("http://{api}{LOGIN}"));
        if let Some(address) = self.address {
            request = request.header("x-forwarded-for", address);
        }
        let response = request.json(&body).send().await;
        response.expect("auth-service answers")
    }

    async fn status(&self, stack: &Stack) -> u16 {
        self.send(stack).await.status().as_u16()
    }
}
