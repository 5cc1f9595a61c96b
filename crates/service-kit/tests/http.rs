//! What every API has in common, over real connections.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use axum::{
    Json, Router,
    extract::FromRef,
    routing::{get, post},
};
use events::{Role, UserId};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};
use service_kit::{
    config::{HttpConfig, TokenConfig},
    http::{Claims, CurrentUser, Fields, Problem, Verifier, detached, server},
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[derive(Clone)]
struct App(Verifier);

impl FromRef<App> for Verifier {
    fn from_ref(app: &App) -> Self {
        app.0.clone()
    }
}

struct Server {
    address: SocketAddr,
    key: EncodingKey,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let key = new_key();
        let tokens = TokenConfig { token_issuer: "auth-service".into(), token_audience: "medtrack".into() };
        let verifier = Verifier::given(&tokens, &JwkSet { keys: vec![public(&key, "k1")] }).unwrap();
        let http = HttpConfig {
            http_addr: "127.0.0.1:0".parse().unwrap(),
            cors_origins: vec!["http://localhost:3000".into()],
        };
        let router = Router::new()
            .route("/api/me", get(async |user: CurrentUser| Json(json!({"id": user.id, "role": user.role}))))
            .route("/api/admin", get(async |user: CurrentUser| user.require(Role::Admin).map(|()| "welcome")))
            .route("/api/echo", post(echo))
            .route("/api/panic", get(panics))
            .route("/api/detached", get(async || detached::<String>(async { panic!("inside") }).await))
            .with_state(App(verifier));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = server::layers(router, &http).unwrap();
        let task = tokio::spawn(server::serve(listener, router, stop.clone()));
        Self { address, key, stop, task }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn with_token(&self, path: &str, token: &str) -> (u16, Value) {
        let answer = reqwest::Client::new().get(self.url(path)).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    fn sign(&self, claims: &Value) -> String {
        sign(&self.key, Some("k1"), claims)
    }
}

async fn echo(mut fields: Fields) -> Result<String, Problem> {
    let name = fields.required("name", |text| Ok::<_, Infallible>(text.to_owned()));
    let age = fields.required("age", |text| text.parse::<u8>().map_err(|_| "Must be a number."));
    fields.finish()?;
    Ok(format!("{name:?} {age:?}"))
}

async fn panics() -> &'static str {
    panic!("the test says so")
}

fn new_key() -> EncodingKey {
    let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    EncodingKey::from_ed_der(der.as_ref())
}

fn public(key: &EncodingKey, kid: &str) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::EdDSA).unwrap();
    jwk.common.key_id = Some(kid.into());
    jwk
}

fn sign(key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn claims(role: Role) -> Value {
    let now = jsonwebtoken::get_current_timestamp() as i64;
    serde_json::to_value(Claims {
        iss: "auth-service".into(),
        aud: "medtrack".into(),
        sub: UserId::new(),
        email: "a@example.com".into(),
        role,
        jti: Uuid::now_v7(),
        sid: Uuid::now_v7(),
        kind: "access".into(),
        iat: now,
        nbf: now,
        exp: now + 900,
    })
    .unwrap()
}

fn changed(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn every_rejection_is_a_problem() {
    let server = Server::start().await;
    let http = reqwest::Client::new();
    let json = "application/json";
    let big = format!(r#"{{"name": "{}"}}"#, "x".repeat(20_000));
    let cases = [
        (http.get(server.url("/nothing")), 404, "NOT_FOUND"),
        (http.delete(server.url("/api/echo")), 405, "METHOD_NOT_ALLOWED"),
        (http.post(server.url("/api/echo")).body("{}"), 415, "NOT_JSON"),
        (http.post(server.url("/api/echo")).header("content-type", json).body("{"), 400, "BAD_JSON"),
        (http.post(server.url("/api/echo")).header("content-type", json).body("[1]"), 400, "BAD_JSON"),
        (http.post(server.url("/api/echo")).header("content-type", json).body("\u{1}"), 400, "BAD_JSON"),
        (http.post(server.url("/api/echo")).header("content-type", json).body(big), 413, "TOO_LARGE"),
        (http.post(server.url("/api/echo")).json(&json!({})), 400, "VALIDATION"),
        (http.get(server.url("/api/me")), 401, "NO_TOKEN"),
        (http.get(server.url("/api/panic")), 500, "INTERNAL"),
        (http.get(server.url("/api/detached")), 500, "INTERNAL"),
    ];
    for (request, status, code) in cases {
        let answer = request.header("origin", "http://localhost:3000").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{code}");
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("content-type").as_deref(), Some("application/problem+json"), "{code}");
        assert_eq!(header("access-control-allow-origin").as_deref(), Some("http://localhost:3000"), "{code}");
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        let request_id = header("x-request-id").unwrap();
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)));
        assert_eq!(body["request_id"], request_id);
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty() && !detail.contains('\n')));
        assert!(body["type"].is_string() && body["title"].is_string());
    }
}

#[tokio::test]
async fn everything_wrong_with_a_body_is_told_at_once() {
    let server = Server::start().await;
    let body = json!({"name": 7, "age": "old", "is_admin": true});
    let answer = reqwest::Client::new().post(server.url("/api/echo")).json(&body).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    let errors = json!({
        "age": ["Must be a number."],
        "is_admin": ["This field is not known here; leave it out."],
        "name": ["Must be a text."],
    });
    assert_eq!(body["errors"], errors);
    let detail = "age: Must be a number.; is_admin: This field is not known here; leave it out.; name: Must be a text.";
    assert_eq!(body["detail"], detail);
}

#[tokio::test]
async fn a_trailing_slash_is_optional_and_a_request_id_is_kept() {
    let server = Server::start().await;
    let id = Uuid::now_v7().to_string();
    for (sent, kept) in [(id.as_str(), true), ("not a uuid", false)] {
        let request = reqwest::Client::new().post(server.url("/api/echo/")).header("x-request-id", sent);
        let answer = request.json(&json!({"name": "a", "age": "3"})).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["x-request-id"] == sent, kept);
    }
}

#[tokio::test]
async fn only_listed_origins_may_call() {
    let server = Server::start().await;
    for (origin, allowed) in [("http://localhost:3000", true), ("http://evil.example", false)] {
        let preflight = reqwest::Client::new()
            .request(reqwest::Method::OPTIONS, server.url("/api/me"))
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization");
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn a_good_token_names_the_user_and_the_role_decides() {
    let server = Server::start().await;
    let student = claims(Role::Student);
    let (status, body) = server.with_token("/api/me", &server.sign(&student)).await;
    assert_eq!((status, &body["id"]), (200, &student["sub"]));
    let (status, body) = server.with_token("/api/admin", &server.sign(&student)).await;
    assert_eq!((status, &body["code"]), (403, &json!("FORBIDDEN")));
    assert_eq!(server.with_token("/api/admin", &server.sign(&claims(Role::Admin))).await.0, 200);
}

#[tokio::test]
async fn any_other_token_is_refused() {
    let server = Server::start().await;
    let good = claims(Role::Admin);
    let now = jsonwebtoken::get_current_timestamp() as i64;
    let public_key =
        serde_json::to_value(public(&server.key, "k1")).unwrap()["x"].as_str().unwrap().to_owned();
    let hs256 = Header { kid: Some("k1".into()), ..Header::new(Algorithm::HS256) };
    let hs256 =
        jsonwebtoken::encode(&hs256, &good, &EncodingKey::from_secret(public_key.as_bytes())).unwrap();
    let signed = server.sign(&good);
    let mut parts = signed.split('.');
    let (_, body) = (parts.next(), parts.next().unwrap());
    // {"alg":"none","kid":"k1"}
    let none = format!("eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{body}.");
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        server.sign(&claims)
    };
    let mut flipped = signed.clone().into_bytes();
    let last = flipped.len() - 10;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let bad = [
        ("none", none),
        ("hs256 with the public key", hs256),
        ("another key under our kid", sign(&new_key(), Some("k1"), &good)),
        ("unknown kid", sign(&server.key, Some("k2"), &good)),
        ("no kid", sign(&server.key, None, &good)),
        ("wrong issuer", server.sign(&changed(good.clone(), "iss", json!("evil")))),
        ("wrong audience", server.sign(&changed(good.clone(), "aud", json!("other")))),
        ("refresh", server.sign(&changed(good.clone(), "type", json!("refresh")))),
        ("not yet valid", server.sign(&changed(good.clone(), "nbf", json!(now + 60)))),
        ("unknown role", server.sign(&changed(good.clone(), "role", json!("king")))),
        ("subject is no id", server.sign(&changed(good.clone(), "sub", json!("1 or 1=1")))),
        ("no exp", without("exp")),
        ("no aud", without("aud")),
        ("no sub", without("sub")),
        ("no type", without("type")),
        ("one bit flipped", String::from_utf8(flipped).unwrap()),
        ("10 kB", "x".repeat(10_000)),
        ("empty", String::new()),
    ];
    for (what, token) in bad {
        let (status, body) = server.with_token("/api/me", &token).await;
        assert_eq!(status, 401, "{what}: {body}");
    }
    let expired = server.sign(&changed(good, "exp", json!(now - 60)));
    assert_eq!(server.with_token("/api/me", &expired).await.1["code"], "TOKEN_EXPIRED");
}

/// axum's own server would wait for ever.
#[tokio::test]
async fn a_half_sent_head_is_cut_after_ten_seconds() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /api/me HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let began = Instant::now();
    let read = tokio::time::timeout(Duration::from_secs(13), stream.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "the connection is closed");
    assert!(began.elapsed() > Duration::from_secs(8));
}

#[tokio::test]
async fn told_to_stop_a_server_waits_for_no_half_sent_head() {
    let server = Server::start().await;
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET /api/me HTTP/1.1\r\n").await.unwrap();
    let idle = reqwest::Client::new();
    idle.get(server.url("/nothing")).send().await.unwrap();
    server.stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), server.task).await.expect("it ends in time").unwrap();
}
