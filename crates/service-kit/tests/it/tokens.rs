//! Which tokens are accepted, and with which keys.

use crate::app::{Server, changed, claims, new_key, public, sign};
use events::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

#[tokio::test]
async fn a_good_token_names_the_user_and_the_role_decides() {
    let server = Server::start().await;
    let student = claims(Role::Student);
    let (status, body) = server.with_token("/api/me", &server.sign(&student)).await;
    assert_eq!((status, &body["id"]), (200, &student["sub"]));
    let (status, body) = server
        .with_token("/api/admin", &server.sign(&student))
        .await;
    assert_eq!((status, &body["code"]), (403, &json!("FORBIDDEN")));
    assert_eq!(
        server
            .with_token("/api/admin", &server.sign(&claims(Role::Admin)))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn any_other_token_is_refused() {
    let server = Server::start().await;
    let good = claims(Role::Admin);
    let now = jsonwebtoken::get_current_timestamp() as i64;
    let public_key = serde_json::to_value(public(&server.key, "k1")).unwrap()["x"]
        .as_str()
        .unwrap()
        .to_owned();
    let hs256 = Header {
        kid: Some("k1".into()),
        ..Header::new(Algorithm::HS256)
    };
    let hs256 = jsonwebtoken::encode(
        &hs256,
        &good,
        &EncodingKey::from_secret(public_key.as_bytes()),
    )
    .unwrap();
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
        (
            "another key under our kid",
            sign(&new_key(), Some("k1"), &good),
        ),
        ("unknown kid", sign(&server.key, Some("k2"), &good)),
        ("no kid", sign(&server.key, None, &good)),
        (
            "wrong issuer",
            server.sign(&changed(good.clone(), "iss", json!("evil"))),
        ),
        (
            "wrong audience",
            server.sign(&changed(good.clone(), "aud", json!("other"))),
        ),
        (
            "refresh",
            server.sign(&changed(good.clone(), "type", json!("refresh"))),
        ),
        (
            "not yet valid",
            server.sign(&changed(good.clone(), "nbf", json!(now + 60))),
        ),
        (
            "unknown role",
            server.sign(&changed(good.clone(), "role", json!("king"))),
        ),
        (
            "subject is no id",
            server.sign(&changed(good.clone(), "sub", json!("1 or 1=1"))),
        ),
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
    assert_eq!(
        server.with_token("/api/me", &expired).await.1["code"],
        "TOKEN_EXPIRED"
    );
}
