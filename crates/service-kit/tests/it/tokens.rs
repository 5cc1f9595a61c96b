//! Which access tokens are accepted: the attacks that RFC 8725 names, each refused with 401.

use crate::app::{Server, changed, claims, new_key, public, sign};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::Role;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use service_kit::revocations::Revocation;
use tokio::net::TcpListener;
use uuid::Uuid;

const ME: &str = "/api/me";

/// Signs a header and claims that are texts, so that they may be what no library writes.
fn signed(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let encoded = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let message = encoded.join(".");
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// The header of a good token.
fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"})
}

async fn assert_invalid(server: &Server, what: &str, token: &str) {
    let (status, body) = server.with_token(ME, token).await;
    let expected = (401, &json!("INVALID_TOKEN"));
    assert_eq!((status, &body["code"]), expected, "{what}: {body}");
}

#[tokio::test]
async fn a_good_token_names_the_user_and_the_role_decides() {
    let server = Server::start().await;
    let student = claims(Role::Student);
    let (status, body) = server.with_token(ME, &server.sign(&student)).await;
    assert_eq!((status, &body["id"]), (200, &student["sub"]));
    let (status, body) = server
        .with_token("/api/admin", &server.sign(&student))
        .await;
    assert_eq!((status, &body["code"]), (403, &json!("FORBIDDEN")));
    let admin = server.sign(&claims(Role::Admin));
    assert_eq!(server.with_token("/api/admin", &admin).await.0, 200);
}

#[tokio::test]
async fn no_other_algorithm_is_accepted() {
    let server = Server::start().await;
    let good = claims(Role::Admin).to_string();
    let with_algorithm = |name: &str| changed(header(), "alg", json!(name)).to_string();
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let parts = [&with_algorithm(name), &good].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        for token in [
            format!("{}.", parts.join(".")),
            parts.join("."),
            format!("{}.x", parts.join(".")),
        ] {
            assert_invalid(&server, &format!("algorithm {name:?}"), &token).await;
        }
    }
    // What a client can read of the public key, as the secret of a MAC.
    let jwk = public(&server.key, "k1");
    let jwk = serde_json::to_value(jwk).unwrap();
    let x = jwk["x"].as_str().unwrap();
    let secrets = [
        x.as_bytes().to_vec(),
        BASE64_URL_SAFE_NO_PAD.decode(x).unwrap(),
        jwk.to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in secrets {
        let secret = EncodingKey::from_secret(&secret);
        for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS512", Algorithm::HS512)] {
            let token = signed(&with_algorithm(name), &good, &secret, algorithm);
            assert_invalid(&server, name, &token).await;
        }
    }
    for name in ["RS256", "PS256", "ES256", "HS256", "EdDSA2", "eddsa"] {
        let token = signed(&with_algorithm(name), &good, &server.key, Algorithm::EdDSA);
        assert_invalid(&server, &format!("{name} over our signature"), &token).await;
    }
}

#[tokio::test]
async fn a_token_cannot_bring_its_own_key() {
    let server = Server::start().await;
    let own_site = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", own_site.local_addr().unwrap());
    let own_key = new_key();
    let own_jwk = serde_json::to_value(public(&own_key, "k1")).unwrap();
    let good = claims(Role::Admin).to_string();
    let headers = [
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", own_jwk.clone()),
        ("x5c", json!([own_jwk["x"]])),
        ("x5t", own_jwk["x"].clone()),
    ];
    for (name, value) in headers {
        let header = changed(header(), name, value);
        for header in [
            header.clone(),
            changed(header.clone(), "kid", json!("k2")),
            changed(header, "kid", Value::Null),
        ] {
            let token = signed(&header.to_string(), &good, &own_key, Algorithm::EdDSA);
            assert_invalid(&server, name, &token).await;
        }
    }
    let visited = tokio::time::timeout(std::time::Duration::ZERO, own_site.accept()).await;
    assert!(visited.is_err(), "the service asks no address of a token");
    let token = sign(&own_key, Some("k1"), &claims(Role::Admin));
    assert_invalid(&server, "another key under our kid", &token).await;
}

#[tokio::test]
async fn the_header_is_that_of_an_access_token_of_a_known_key() {
    let server = Server::start().await;
    let good = claims(Role::Student).to_string();
    let token = |header: &str| signed(header, &good, &server.key, Algorithm::EdDSA);
    let kids = [
        "k2",
        "",
        "K1",
        "k1 ",
        "../../../../dev/null",
        "/proc/self/environ",
        "k1' or '1'='1",
        "k1\u{0}",
        "http://127.0.0.1/k1",
    ];
    for kid in kids {
        let header = changed(header(), "kid", json!(kid)).to_string();
        assert_invalid(&server, kid, &token(&header)).await;
    }
    for typ in ["refresh+jwt", "dpop+jwt", "secevent+jwt", "JWE", ""] {
        let header = changed(header(), "typ", json!(typ)).to_string();
        assert_invalid(&server, typ, &token(&header)).await;
    }
    for (what, header) in [
        ("no kid", json!({"alg": "EdDSA", "typ": "at+jwt"})),
        ("no typ", json!({"alg": "EdDSA", "kid": "k1"})),
        ("crit", changed(header(), "crit", json!(["exp"]))),
        (
            "crit of an unencoded payload",
            json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1", "b64": false, "crit": ["b64"]}),
        ),
    ] {
        assert_invalid(&server, what, &token(&header.to_string())).await;
    }
    let twice = r#"{"alg": "EdDSA", "typ": "at+jwt", "kid": "k2", "kid": "k1"}"#;
    assert_invalid(&server, "two kids", &token(twice)).await;
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT", "JWT"] {
        let header = changed(header(), "typ", json!(typ)).to_string();
        assert_eq!(server.with_token(ME, &token(&header)).await.0, 200, "{typ}");
    }
}

#[tokio::test]
async fn each_claim_is_needed_and_checked() {
    let server = Server::start().await;
    let good = claims(Role::Admin);
    let now = jsonwebtoken::get_current_timestamp() as i64;
    for name in [
        "exp", "nbf", "sub", "aud", "iss", "type", "sid", "jti", "role",
    ] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        assert_invalid(&server, &format!("no {name}"), &server.sign(&claims)).await;
    }
    let wrong = [
        ("iss", json!("evil")),
        ("iss", json!("auth-service ")),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("type", json!("refresh")),
        ("type", json!("Access")),
        ("nbf", json!(now + 60)),
        ("exp", json!("never")),
        ("exp", Value::Null),
        ("role", json!("king")),
        ("role", json!("ADMIN")),
        ("sub", json!("1 or 1=1")),
        ("sid", json!("")),
    ];
    for (name, value) in wrong {
        let what = format!("{name} {value}");
        let claims = changed(good.clone(), name, value);
        assert_invalid(&server, &what, &server.sign(&claims)).await;
    }
    for ago in [60, 6, 1_000_000_000] {
        let expired = changed(good.clone(), "exp", json!(now - ago));
        let (status, body) = server.with_token(ME, &server.sign(&expired)).await;
        let expected = (401, &json!("TOKEN_EXPIRED"));
        assert_eq!((status, &body["code"]), expected, "{ago} s ago");
    }
    let text = good.to_string();
    for (name, value) in [
        ("sub", json!(Uuid::now_v7())),
        ("role", json!("student")),
        ("exp", json!(now - 60)),
    ] {
        let twice = format!("{{\"{name}\":{value},{}", &text[1..]);
        let token = signed(&header().to_string(), &twice, &server.key, Algorithm::EdDSA);
        assert_invalid(&server, &format!("two claims {name}"), &token).await;
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_whatever_its_size() {
    let server = Server::start().await;
    let good = server.sign(&claims(Role::Student));
    let parts: Vec<&str> = good.split('.').collect();
    let mut flipped = good.clone().into_bytes();
    let last = flipped.len() - 10;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let large = changed(header(), "kid", json!("k".repeat(8_000)));
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let own = |header: &str, claims: &str| signed(header, claims, &server.key, Algorithm::EdDSA);
    for (what, token) in [
        ("one bit flipped", String::from_utf8(flipped).unwrap()),
        ("without a signature", parts[..2].join(".")),
        (
            "with an empty signature",
            format!("{}.{}.", parts[0], parts[1]),
        ),
        ("four parts", format!("{good}.x")),
        ("refresh token", BASE64_URL_SAFE_NO_PAD.encode([7; 32])),
        ("15 kB of nothing", "x".repeat(15_000)),
        ("15 kB of dots", ".".repeat(15_000)),
        ("large header", own(&large.to_string(), "{}")),
        ("deep claims", own(&header().to_string(), &deep)),
        (
            "claims that are a text",
            own(&header().to_string(), "\"x\""),
        ),
        ("not UTF-8", format!("{}.{}.{}", parts[0], "_w", parts[2])),
    ] {
        assert_invalid(&server, what, &token).await;
    }
    assert_eq!(server.with_token(ME, &good).await.0, 200);
}

#[tokio::test]
async fn a_token_of_a_revoked_session_is_refused_and_one_of_another_session_is_not() {
    let server = Server::start().await;
    let (first, second) = (claims(Role::Student), claims(Role::Student));
    let second = changed(second, "sub", first["sub"].clone());
    let revocation = Revocation {
        user_id: first["sub"].as_str().unwrap().parse().unwrap(),
        session_id: Some(first["sid"].as_str().unwrap().parse().unwrap()),
        at: chrono::Utc::now(),
    };
    let token = server.sign(&first);
    assert_eq!(server.with_token(ME, &token).await.0, 200);
    server.revocations.add(&[revocation], chrono::Utc::now());
    assert_invalid(&server, "revoked", &token).await;
    assert_eq!(server.with_token(ME, &server.sign(&second)).await.0, 200);
}
