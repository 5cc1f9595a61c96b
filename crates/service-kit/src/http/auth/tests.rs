//! Where the keys come from, and what happens while they are missing. `tests/it/tokens.rs` tests which tokens are
//! accepted.

use super::*;
use crate::config::CompatConfig;
use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use axum::{Json, Router, response::IntoResponse as _, routing::get};
use futures_util::future::join_all;
use jsonwebtoken::{EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use test_support::{eventually, port};
use tokio::net::TcpListener;

fn new_key() -> EncodingKey {
    let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    EncodingKey::from_ed_der(der.as_ref())
}

fn key_set(keys: &[(&EncodingKey, &str)]) -> Value {
    let public = keys.iter().map(|(key, kid)| {
        let mut jwk = Jwk::from_encoding_key(key, Algorithm::EdDSA).unwrap();
        jwk.common.key_id = Some((*kid).to_owned());
        jwk
    });
    json!({"keys": public.collect::<Vec<_>>()})
}

fn token(key: &EncodingKey, kid: &str) -> String {
    let now = jsonwebtoken::get_current_timestamp();
    let claims = json!({
        "iss": "auth-service", "aud": "medtrack", "sub": UserId::new(), "email": "a@example.com",
        "role": "student", "jti": Uuid::now_v7(), "sid": Uuid::now_v7(), "type": "access",
        "iat": now, "nbf": now, "exp": now + 900,
    });
    let header = Header {
        kid: Some(kid.into()),
        ..Header::new(Algorithm::EdDSA)
    };
    jsonwebtoken::encode(&header, &claims, key).unwrap()
}

fn tokens() -> TokenConfig {
    TokenConfig {
        token_issuer: "auth-service".into(),
        token_audience: "medtrack".into(),
        compat: CompatConfig::default(),
    }
}

/// The part of auth-service that other services use.
#[derive(Clone)]
struct Auth {
    address: SocketAddr,
    keys: Arc<Mutex<Value>>,
    requests: Arc<AtomicUsize>,
}

impl Auth {
    fn new(keys: &[(&EncodingKey, &str)]) -> Self {
        let auth = Self {
            address: port::free(),
            keys: Arc::default(),
            requests: Arc::default(),
        };
        auth.publish(keys);
        auth
    }

    fn publish(&self, keys: &[(&EncodingKey, &str)]) {
        *self.keys.lock().unwrap() = key_set(keys);
    }

    async fn start(&self) {
        let auth = self.clone();
        let response = async move || {
            auth.requests.fetch_add(1, Ordering::Relaxed);
            Json(auth.keys.lock().unwrap().clone())
        };
        let listener = TcpListener::bind(self.address).await.unwrap();
        let router = Router::new().route("/jwks", get(response));
        tokio::spawn(crate::http::server::serve(
            listener,
            router,
            CancellationToken::new(),
        ));
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn verifier(&self) -> Verifier {
        let jwks = JwksConfig {
            jwks_url: format!("http://{}/jwks", self.address),
            jwks_file: None,
        };
        Verifier::remote(&tokens(), &jwks).unwrap()
    }
}

/// The status of the refusal; `None` when the token is accepted.
async fn refusal(verifier: &Verifier, token: &str) -> Option<u16> {
    verifier
        .verify(token)
        .await
        .err()
        .map(|problem| problem.into_response().status().as_u16())
}

#[tokio::test]
async fn an_unknown_key_makes_us_fetch_the_keys_once_in_thirty_seconds() {
    let (old, new) = (new_key(), new_key());
    let auth = Auth::new(&[(&old, "old")]);
    auth.start().await;
    let verifier = auth.verifier();
    let (of_old, of_new) = (token(&old, "old"), token(&new, "new"));
    assert_eq!(refusal(&verifier, &of_old).await, None);
    auth.publish(&[(&old, "old"), (&new, "new")]);
    for _ in 0..20 {
        assert_eq!(refusal(&verifier, &of_new).await, Some(401));
    }
    assert_eq!(
        auth.requests(),
        1,
        "made-up tokens cause no further request"
    );
    let long_ago = Instant::now().checked_sub(ASK_AGAIN).unwrap();
    *verifier.0.last_fetch.lock().await = Some((long_ago, true));
    assert_eq!(refusal(&verifier, &of_new).await, None);
    assert_eq!(refusal(&verifier, &of_old).await, None);
    assert_eq!(auth.requests(), 2);
}

#[tokio::test]
async fn without_keys_the_response_is_503_and_comes_at_once() {
    let key = new_key();
    let auth = Auth::new(&[(&key, "k")]);
    let verifier = auth.verifier();
    let token = token(&key, "k");
    let began = Instant::now();
    let refusals = join_all((0..50).map(|_| refusal(&verifier, &token))).await;
    assert_eq!(refusals, [Some(503); 50]);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    auth.start().await;
    eventually(
        Duration::from_secs(4),
        "the token is accepted",
        async || refusal(&verifier, &token).await.is_none(),
    )
    .await;
    assert_eq!(auth.requests(), 1);
}

#[tokio::test]
async fn keys_are_fetched_ahead_and_withdrawn_ones_are_forgotten() {
    let (old, new) = (new_key(), new_key());
    let auth = Auth::new(&[(&old, "old")]);
    let verifier = auth.verifier();
    let stop = CancellationToken::new();
    let fresh = tokio::spawn(
        verifier
            .clone()
            .fetch_every(Duration::from_millis(50), stop.clone()),
    );
    auth.start().await;
    eventually(Duration::from_secs(4), "the keys are fetched", async || {
        auth.requests() > 0
    })
    .await;
    let token = token(&old, "old");
    eventually(
        Duration::from_secs(1),
        "the token is accepted",
        async || refusal(&verifier, &token).await.is_none(),
    )
    .await;
    auth.publish(&[(&new, "new")]);
    eventually(
        Duration::from_secs(2),
        "the withdrawn key is forgotten",
        async || refusal(&verifier, &token).await.is_some(),
    )
    .await;
    stop.cancel();
    fresh.await.unwrap();
}

#[tokio::test]
async fn keys_may_come_from_a_file() {
    let key = new_key();
    let file = std::env::temp_dir().join(format!("jwks-{}.json", Uuid::now_v7()));
    std::fs::write(&file, key_set(&[(&key, "k")]).to_string()).unwrap();
    let jwks = JwksConfig {
        jwks_url: "http://nowhere.invalid".into(),
        jwks_file: Some(file.clone()),
    };
    let verifier = Verifier::remote(&tokens(), &jwks).unwrap();
    let token = token(&key, "k");
    assert_eq!(refusal(&verifier, &token).await, None);
    std::fs::remove_file(file).unwrap();
}
