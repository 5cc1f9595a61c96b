//! The log lines and the metrics of requests.

use crate::{LOGIN, auth};
use events::Role;
use reqwest::{Client, Method};
use serde_json::json;
use test_support::{
    Unit,
    client::{REGISTER, newcomer},
};
use uuid::Uuid;

#[tokio::test]
async fn a_line_names_its_request_and_neither_logs_nor_metrics_show_a_query() {
    let stack = auth().await;
    let request_id = Uuid::now_v7().to_string();
    let request = reqwest::Client::new()
        .post(stack.client.url(&format!("{REGISTER}?secret=hunter2")))
        .header("x-request-id", &request_id)
        .json(&newcomer(Role::Admin));
    assert_eq!(request.send().await.unwrap().status(), 403);
    let internal = stack.internal(Unit::Auth);
    let process = stack.process(Unit::Auth);
    process
        .line(&format!(
            "WARN Registration with a role that is not allowed was refused role=admin \
             request_id={request_id} method=\"POST\" route=\"{REGISTER}\""
        ))
        .await;
    assert_eq!(process.count_lines("hunter2"), 0);
    let metrics = reqwest::get(format!("http://{internal}/metrics"))
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains(&format!("route=\"{REGISTER}\"")),
        "{metrics}"
    );
    assert!(!metrics.contains("hunter2"));
}

#[tokio::test]
async fn a_refused_request_leaves_one_line_without_what_it_sent() {
    let stack = auth().await;
    let person = json!({"email": "somebody@example.com", "password": "hunter2"});
    let incomplete = json!({"email": "somebody@example.com"});
    for (method, path, body, status, code) in [
        (Method::POST, LOGIN, &person, 401, "INVALID_CREDENTIALS"),
        (Method::POST, LOGIN, &incomplete, 400, "VALIDATION"),
        (Method::PUT, LOGIN, &person, 405, "METHOD_NOT_ALLOWED"),
        (
            Method::GET,
            "/auth/api/v1/users/me",
            &person,
            401,
            "NO_TOKEN",
        ),
        (Method::GET, "/auth/somebody", &person, 404, "NOT_FOUND"),
    ] {
        let request_id = Uuid::now_v7().to_string();
        let url = stack.client.url(&format!("{path}?token=hunter2"));
        let request = Client::new().request(method.clone(), url).json(body);
        let response = request
            .header("x-request-id", &request_id)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        let route = if status == 404 { "none" } else { path };
        let process = stack.process(Unit::Auth);
        process
            .line(&format!(
                "INFO A request was refused status={status} code=\"{code}\" \
                 request_id={request_id} method=\"{method}\" route=\"{route}\""
            ))
            .await;
        assert_eq!(process.count_lines(&request_id), 1, "{method} {path}");
    }
    let process = stack.process(Unit::Auth);
    for sent in ["hunter2", "somebody"] {
        assert_eq!(process.count_lines(sent), 0, "{sent}");
    }
}
