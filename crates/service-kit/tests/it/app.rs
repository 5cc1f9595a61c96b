//! A small API, served over real connections, and the tokens that it accepts.

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use axum::{
    Json, Router,
    extract::{FromRef, Path},
    http::StatusCode,
    routing::{get, post},
};
use events::{Role, UserId};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};
use service_kit::{
    config::{CompatConfig, HttpConfig, TokenConfig},
    http::{Body, Claims, CurrentUser, Problem, Verifier, body::Text, detached, server},
    revocations::Revocations,
};
use std::{future::pending, net::SocketAddr};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[derive(Clone)]
struct App(Verifier);

impl FromRef<App> for Verifier {
    fn from_ref(app: &App) -> Self {
        app.0.clone()
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) key: EncodingKey,
    pub(crate) revocations: Revocations,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let key = new_key();
        let verifier = verifier(&key);
        let revocations = verifier.revocations();
        let router = router(verifier);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(server::serve(listener, router, stop.clone()));
        Self {
            address,
            key,
            revocations,
            stop,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn with_token(&self, path: &str, token: &str) -> (u16, Value) {
        let response = reqwest::Client::new()
            .get(self.url(path))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        (
            response.status().as_u16(),
            response.json().await.unwrap_or(Value::Null),
        )
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        sign(&self.key, Some("k1"), claims)
    }
}

/// Accepts tokens of this key.
pub(crate) fn verifier(key: &EncodingKey) -> Verifier {
    let keys = vec![public(key, "k1")];
    Verifier::given(&tokens(), &JwkSet { keys }).unwrap()
}

/// The routes, with everything around them that every API has.
pub(crate) fn router(verifier: Verifier) -> Router {
    let http = HttpConfig {
        http_addr: "127.0.0.1:0".parse().unwrap(),
        cors_origins: vec!["http://localhost:3000".into()],
    };
    let router = Router::new()
        .route(
            "/api/me",
            get(async |user: CurrentUser| Json(json!({"id": user.id, "role": user.role}))),
        )
        .route(
            "/api/admin",
            get(async |user: CurrentUser| user.require(Role::Admin).map(|()| "welcome")),
        )
        .route("/api/echo", post(echo))
        .route("/api/of/{id}", get(async |Path(id): Path<String>| id))
        .route("/api/panic", get(panics))
        .route(
            "/api/detached",
            get(async || detached::<String>(async { panic!("inside") }).await),
        )
        .route("/api/teapot", get(async || StatusCode::IM_A_TEAPOT))
        .route(
            "/api/away",
            get(async || Problem::from(sqlx::Error::PoolTimedOut)),
        )
        .route(
            "/api/broken",
            get(async || Problem::from(sqlx::Error::Configuration("SECRET".into()))),
        )
        .route("/api/never", get(async || pending::<()>().await))
        .with_state(App(verifier));
    server::layers(router, &http).unwrap()
}

/// Which tokens are accepted.
pub(crate) fn tokens() -> TokenConfig {
    TokenConfig {
        token_issuer: "auth-service".into(),
        token_audience: "medtrack".into(),
        compat: CompatConfig::default(),
    }
}

service_kit::body! {
    struct Echo {
        name: String = "Ada",
        age: Age = "36",
    }
}

#[derive(Debug)]
struct Age(u8);

impl Text for Age {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().map(Self).map_err(|_| "Must be a number.")
    }
}

async fn echo(Body(echo): Body<Echo>) -> String {
    format!("{} {}", echo.name, echo.age.0)
}

async fn panics() -> &'static str {
    panic!("the test says so")
}

pub(crate) fn new_key() -> EncodingKey {
    let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    EncodingKey::from_ed_der(der.as_ref())
}

pub(crate) fn public(key: &EncodingKey, kid: &str) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::EdDSA).unwrap();
    jwk.common.key_id = Some(kid.into());
    jwk
}

pub(crate) fn sign(key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let header = Header {
        kid: kid.map(str::to_owned),
        ..Header::new(Algorithm::EdDSA)
    };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

pub(crate) fn claims(role: Role) -> Value {
    let now = jsonwebtoken::get_current_timestamp() as i64;
    serde_json::to_value(Claims {
        iss: "auth-service".into(),
        aud: Some("medtrack".into()),
        sub: UserId::new(),
        email: "a@example.com".into(),
        role,
        profile_id: None,
        jti: Uuid::now_v7(),
        sid: Uuid::now_v7(),
        auth_time: now,
        kind: "access".into(),
        iat: now,
        nbf: now,
        exp: now + 900,
    })
    .unwrap()
}

pub(crate) fn changed(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}
