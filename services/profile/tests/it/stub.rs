//! An auth-service that answers what a test wants, for what is hard to bring about with the real one.

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

/// What a request to auth-service said.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The method and the path.
    pub(crate) route: String,
    /// The header `Authorization`.
    pub(crate) authorization: String,
    /// The body; `null` when there is none.
    pub(crate) body: Value,
}

/// The stand-in. It answers each request with the next answer.
#[derive(Clone, Default)]
pub(crate) struct Stub {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Starts one, and returns it with its address.
    pub(crate) async fn start() -> (Self, String) {
        let stub = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (stub, url)
    }

    /// Creates the user of the next request.
    pub(crate) fn will_create(&self) {
        self.will_answer(201, Value::Null);
    }

    /// Answers the next request but those that have an answer already.
    pub(crate) fn will_answer(&self, status: u16, body: Value) {
        self.answers
            .lock()
            .expect("no panic before")
            .push_back((status, body));
    }

    /// What it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic before").clone()
    }
}

async fn answer(State(stub): State<Stub>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 65_536).await.expect("a body");
    let authorization = parts.headers.get("authorization");
    stub.asked.lock().expect("no panic before").push(Asked {
        route: format!("{} {}", parts.method, parts.uri.path()),
        authorization: authorization
            .map_or("", |value| value.to_str().expect("a text"))
            .to_owned(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    });
    let next = stub.answers.lock().expect("no panic before").pop_front();
    let (status, mut body) = next.expect("the test expects this request");
    if status == 201 {
        body = created(&stub.asked().last().expect("this request").body);
    }
    let status = StatusCode::from_u16(status).expect("a status");
    (status, Json(body)).into_response()
}

/// The user whom a request asks for.
fn created(account: &Value) -> Value {
    let name = |field: &str| account[field].as_str().unwrap_or_default();
    json!({"id": account["id"], "email": account["email"], "first_name": name("first_name"),
           "last_name": name("last_name"), "phone": account["phone"], "role": account["role"]})
}
