//! Speaks to the services over HTTP, as a browser behind the gateway does.

use crate::openapi;
use events::{Role, UserId};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::HashMap, net::SocketAddr, time::Duration};
use uuid::Uuid;

/// Passes the password rules; as in the seed's example.
pub const PASSWORD: &str = "SecurePass123!";

/// A client of the services, without the gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    /// By the short name of the service.
    addresses: HashMap<&'static str, SocketAddr>,
    http: reqwest::Client,
}

/// What a service answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, `null` when it is not JSON.
    pub body: Value,
}

/// A user who has registered.
#[derive(Clone, Debug)]
pub struct User {
    /// The user.
    pub user_id: UserId,
    /// Unique.
    pub email: String,
    /// The access token.
    pub token: String,
    /// The whole answer to the registration.
    pub body: Value,
}

impl Client {
    /// Makes a client of the services that listen at these addresses, by their short names.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn new(addresses: HashMap<&'static str, SocketAddr>) -> Self {
        // No idle connections: a process that was killed must not fail the next request too.
        let builder = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(10));
        Self {
            addresses,
            http: builder.build().expect("a client without TLS can be made"),
        }
    }

    /// Returns the address of a path, which begins with the short name of a service.
    ///
    /// # Panics
    /// When it does not.
    pub fn url(&self, path: &str) -> String {
        let service = path.split('/').nth(1).unwrap_or_default();
        let address = self.addresses.get(service);
        let address = address.unwrap_or_else(|| panic!("{path} is not a path of a service"));
        format!("http://{address}{path}")
    }

    /// Asks the service that `path` begins with, such as `/comm/api/notifications/`.
    ///
    /// # Errors
    /// When there is no answer; then it is not known whether anything was done.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method.clone(), self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        if path == REGISTER {
            request = request.header("x-forwarded-for", anybody());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
        openapi::assert_code_described(&method, path, status, &body);
        Ok(Answer { status, body })
    }

    /// Reads something as a user.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, path: &str, user: &User) -> Answer {
        self.ask(Method::GET, path, Some(&user.token), None)
            .await
            .unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Posts something without a token.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, None, Some(body))
            .await
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Registers a new user.
    ///
    /// # Panics
    /// When the answer is not 201.
    pub async fn register(&self, role: Role) -> User {
        let response = self.post(REGISTER, &newcomer(role)).await;
        assert_eq!(response.status, 201, "{}", response.body);
        user(response.body)
    }

    /// The notifications of a user, newest first.
    ///
    /// # Panics
    /// When the answer is not a list.
    pub async fn notifications(&self, user: &User) -> Vec<Value> {
        let response = self.get("/comm/api/notifications/", user).await;
        match response.body {
            Value::Array(notifications) if response.status == 200 => notifications,
            body => panic!("{}: {body}", response.status),
        }
    }
}

/// An address that no other newcomer has, as the gateway tells it: one address may not register many users at once.
pub fn anybody() -> String {
    std::net::Ipv6Addr::from_bits(Uuid::new_v4().as_u128()).to_string()
}

/// Where one registers.
pub const REGISTER: &str = "/auth/api/v1/register";

/// The body of a registration with a new e-mail address.
pub fn newcomer(role: Role) -> Value {
    json!({
        "email": format!("{}@example.com", Uuid::new_v4().simple()),
        "password": PASSWORD,
        "first_name": "John",
        "last_name": "Doe",
        "role": role,
    })
}

/// Reads the answer to a registration.
///
/// # Panics
/// When it is none.
pub fn user(body: Value) -> User {
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap_or_else(|| panic!("not a user: {body}"))
            .to_owned()
    };
    User {
        user_id: text(&body["user"]["id"])
            .parse()
            .expect("user.id is a UUID"),
        email: text(&body["user"]["email"]),
        token: text(&body["access_token"]),
        body,
    }
}
