//! The log lines and the metrics of requests.

use events::Role;
use test_support::{
    Stack, Unit,
    client::{REGISTER, newcomer},
    stack::Links,
};
use uuid::Uuid;

#[tokio::test]
async fn a_line_names_its_request_and_neither_logs_nor_metrics_show_a_query() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
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
