//! Access tokens for the services that this system replaces.

use crate::{LOGIN, auth};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use test_support::{Process, Stack, Unit, client::PASSWORD, python, stack::Links};
use tokio::process::Command;

const SECRET: &str = "a secret that all the services share";
const ME: [&str; 3] = [
    "/auth/api/v1/users/me",
    "/profile/api/me",
    "/comm/api/notifications/",
];

/// What the old services do with a token: PyJWT decides, and an audience is not expected.
const READER: &str = r#"
import json, jwt, sys
claims = jwt.decode(sys.argv[1], sys.argv[2], algorithms=["HS256"], issuer="auth-service")
print(json.dumps([jwt.get_unverified_header(sys.argv[1]), claims]))
"#;

async fn django() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.set("JWT_COMPAT", "django");
    stack.set("JWT_SECRET_KEY", SECRET);
    stack
        .start_units(&[Unit::Auth, Unit::Profile, Unit::Comm])
        .await;
    stack
}

async fn status(stack: &Stack, path: &str, token: &str) -> u16 {
    let answer = stack.client.ask(Method::GET, path, Some(token), None).await;
    answer.expect("it answers").status
}

#[tokio::test]
async fn the_old_services_accept_our_tokens() {
    let stack = django().await;
    let user = stack.client.register(Role::Encadrant).await;
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let jwt = python::module(target, "jwt", "pyjwt==2.8.0").await;
    let read = Command::new("python3")
        .args(["-c", READER, &user.token, SECRET])
        .env("PYTHONPATH", jwt.expect("python3-jwt, or python3 with pip"))
        .kill_on_drop(true)
        .output()
        .await
        .expect("there is a Python");
    assert!(read.status.success(), "{read:?}");
    let read: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    assert_eq!(read[0], json!({"alg": "HS256", "typ": "JWT"}));
    let claims = &read[1];
    assert_eq!(claims["sub"], user.user_id.to_string());
    assert_eq!(
        (&claims["type"], &claims["role"]),
        (&json!("access"), &json!("encadrant"))
    );
    assert!(
        claims.get("aud").is_none() && claims.get("user_id").is_none(),
        "{claims}"
    );

    let warning = "each service that has JWT_SECRET_KEY can make access tokens for any user";
    for unit in [Unit::Auth, Unit::Profile, Unit::Comm] {
        stack.process(unit).line(warning).await;
    }
    for path in ME {
        assert_ne!(status(&stack, path, &user.token).await, 401, "{path}");
    }
    let keys = reqwest::get(stack.client.url("/auth/.well-known/jwks.json")).await;
    let keys: Value = keys.expect("it answers").json().await.expect("a key set");
    assert_eq!(keys, json!({"keys": []}), "no key signs");
}

#[tokio::test]
async fn one_kind_of_token_is_accepted_and_never_both() {
    let (ours, django) = (auth().await, django().await);
    let user = ours.client.register(Role::Student).await;
    let claims = user.token.split('.').nth(1).expect("claims");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let with_audience: Value = serde_json::from_slice(&claims).expect("JSON");
    let mut without = with_audience.clone();
    without.as_object_mut().expect("an object").remove("aud");
    let sign = |claims: &Value, secret: &str, header: &Header| {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(header, claims, &key).expect("it can be signed")
    };
    let plain = Header::new(Algorithm::HS256);
    let shared = sign(&without, SECRET, &plain);
    assert_eq!(status(&ours, ME[0], &shared).await, 401);
    let named = Header {
        kid: Some(String::new()),
        ..plain.clone()
    };
    for (what, token) in [
        ("signed by auth-service", user.token.clone()),
        ("an audience", sign(&with_audience, SECRET, &plain)),
        (
            "another secret",
            sign(&without, &SECRET.replace('a', "b"), &plain),
        ),
        (
            "another algorithm",
            sign(&without, SECRET, &Header::new(Algorithm::HS512)),
        ),
        ("a key's name", sign(&without, SECRET, &named)),
    ] {
        for path in ME {
            assert_eq!(status(&django, path, &token).await, 401, "{path}: {what}");
        }
    }
    // The same token, but for what was wrong with the others: the user is of the other system.
    assert_eq!(status(&django, ME[0], &shared).await, 404);
    let credentials = json!({"email": user.email, "password": PASSWORD});
    assert_eq!(ours.client.post(LOGIN, &credentials).await.status, 200);
}

#[tokio::test]
async fn a_missing_or_short_secret_refuses_the_start() {
    let stack = Stack::prepare(Links::Direct).await;
    for (secret, refusal) in [
        ("", "JWT_SECRET_KEY is missing"),
        ("too short", "JWT_SECRET_KEY is shorter than 32 bytes"),
    ] {
        let environment = [
            ("DATABASE_URL", stack.auth.url.clone()),
            ("AMQP_URL", stack.vhost.amqp_url.clone()),
            ("HTTP_ADDR", stack.http(Unit::Auth).to_string()),
            ("INTERNAL_ADDR", stack.internal(Unit::Auth).to_string()),
            ("JWT_COMPAT", "django".to_owned()),
            ("JWT_SECRET_KEY", secret.to_owned()),
        ];
        let mut refused = Process::start("auth-service", &["serve"], &environment);
        refused.line(refusal).await;
        assert!(!refused.exit(Duration::from_secs(15)).await.success());
    }
}
