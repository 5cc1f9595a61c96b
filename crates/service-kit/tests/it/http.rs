//! What every answer has in common.

use crate::app::Server;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn every_rejection_is_a_problem() {
    let server = Server::start().await;
    let http = reqwest::Client::new();
    let json = "application/json";
    let big = format!(r#"{{"name": "{}"}}"#, "x".repeat(20_000));
    let cases = [
        (http.get(server.url("/nothing")), 404, "NOT_FOUND"),
        (
            http.delete(server.url("/api/echo")),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            http.post(server.url("/api/echo")).body("{}"),
            415,
            "NOT_JSON",
        ),
        (
            http.post(server.url("/api/echo"))
                .header("content-type", json)
                .body("{"),
            400,
            "BAD_JSON",
        ),
        (
            http.post(server.url("/api/echo"))
                .header("content-type", json)
                .body("[1]"),
            400,
            "BAD_JSON",
        ),
        (
            http.post(server.url("/api/echo"))
                .header("content-type", json)
                .body("\u{1}"),
            400,
            "BAD_JSON",
        ),
        (
            http.post(server.url("/api/echo"))
                .header("content-type", json)
                .body(big),
            413,
            "TOO_LARGE",
        ),
        (
            http.post(server.url("/api/echo")).json(&json!({})),
            400,
            "VALIDATION",
        ),
        (http.get(server.url("/api/me")), 401, "NO_TOKEN"),
        (http.get(server.url("/api/panic")), 500, "INTERNAL"),
        (http.get(server.url("/api/detached")), 500, "INTERNAL"),
        (http.get(server.url("/api/broken")), 500, "INTERNAL"),
        (http.get(server.url("/api/away")), 503, "DATABASE_AWAY"),
        (http.get(server.url("/api/of/%FF")), 400, "BAD_REQUEST"),
        (http.get(server.url("/api/teapot")), 418, "REFUSED"),
    ];
    for (request, status, code) in cases {
        let response = request
            .header("origin", "http://localhost:3000")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{code}");
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(
            header("content-type").as_deref(),
            Some("application/problem+json"),
            "{code}"
        );
        assert_eq!(
            header("access-control-allow-origin").as_deref(),
            Some("http://localhost:3000"),
            "{code}"
        );
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        let request_id = header("x-request-id").unwrap();
        assert_eq!(header("retry-after").is_some(), status == 503, "{code}");
        assert_eq!(header("allow").is_some(), status == 405, "{code}");
        let body: Value = response.json().await.unwrap();
        assert!(!body.to_string().contains("SECRET"), "{body}");
        assert_eq!(
            (&body["code"], &body["status"]),
            (&json!(code), &json!(status))
        );
        assert_eq!(body["request_id"], request_id);
        assert!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty() && !detail.contains('\n'))
        );
        assert!(body["type"].is_string() && body["title"].is_string());
    }
}

#[tokio::test]
async fn all_wrong_fields_of_a_body_are_reported_at_once() {
    let server = Server::start().await;
    let body = json!({"name": 7, "age": "old", "is_admin": true});
    let response = reqwest::Client::new()
        .post(server.url("/api/echo"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let body: Value = response.json().await.unwrap();
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
        let request = reqwest::Client::new()
            .post(server.url("/api/echo/"))
            .header("x-request-id", sent);
        let response = request
            .json(&json!({"name": "a", "age": "3"}))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["x-request-id"] == sent, kept);
    }
}

#[tokio::test]
async fn only_listed_origins_may_call() {
    let server = Server::start().await;
    for (origin, allowed) in [
        ("http://localhost:3000", true),
        ("http://evil.example", false),
    ] {
        let preflight = reqwest::Client::new()
            .request(reqwest::Method::OPTIONS, server.url("/api/me"))
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization");
        let response = preflight.send().await.unwrap();
        assert_eq!(
            response
                .headers()
                .contains_key("access-control-allow-origin"),
            allowed,
            "{origin}"
        );
    }
}

#[tokio::test]
async fn panic_is_500_and_process_lives() {
    let server = Server::start().await;
    let client = reqwest::Client::new();
    for path in ["/api/panic", "/api/detached"] {
        for _ in 0..20 {
            let response = client.get(server.url(path)).send().await.unwrap();
            assert_eq!(response.status().as_u16(), 500, "{path}");
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["code"], "INTERNAL");
            assert!(!body.to_string().contains("the test says so"), "{body}");
        }
    }
    let next = client.get(server.url("/api/of/7")).send().await.unwrap();
    assert_eq!(next.status().as_u16(), 200, "the same connection goes on");
    assert!(!server.task.is_finished());
}
