//! The login of a publisher, and the publisher of `docs/publishing.md`.

use crate::production::{PUBLISHER, Production};
use events::{Event as _, Role, internships::EvaluationCreated, topology::queues};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use test_support::{Stack, Unit, eventually, python};
use tokio::{io::AsyncWriteExt as _, process::Command};

const SOON: Duration = Duration::from_secs(20);

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Runs the publisher of the documentation with a login.
async fn publish(pika: &Path, url: &str, key: &str, payload: &str) -> Output {
    let script = docs().join("publisher.py").display().to_string();
    let mut publisher = Command::new("python3")
        .args([&script, key])
        .env("PYTHONPATH", pika)
        .kill_on_drop(true)
        .env("AMQP_URL", url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a Python");
    let mut input = publisher.stdin.take().expect("it is piped");
    input.write_all(payload.as_bytes()).await.expect("it reads");
    drop(input);
    publisher.wait_with_output().await.expect("it ends")
}

#[tokio::test]
async fn the_publisher_of_the_documentation_reaches_a_student_and_may_do_nothing_else() {
    let mut stack = Stack::prepare(test_support::Links::Direct).await;
    let production = Production::load(&stack.vhost).await;
    stack.start_units(&Unit::ALL).await;
    let student = stack.client.register(Role::Student).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&student).await.len() == 1
    })
    .await;
    let student_id = stack.profile.value("select id from profiles_student").await;
    let payload = json!({"stage_id": "8f1c2b1e-5d3a-4b6f-9a41-0c7d2e9b6a10", "student_id": student_id,
                         "offer_id": "5b1f9a0e-2c4d-4e8a-8b3f-7d6c5a4b3c2d"});
    let pika = python::pika(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let pika = pika.await.expect("python3-pika, or python3 with pip");
    let url = &production.logins[PUBLISHER];
    let sent = publish(&pika, url, "stage.created", &payload.to_string()).await;
    assert!(sent.status.success(), "{sent:?}");
    let event_id = String::from_utf8_lossy(&sent.stdout).trim().to_owned();
    assert_eq!(event_id.len(), 36, "it prints the id: {event_id}");
    eventually(SOON, "the notification", async || {
        stack.client.notifications(&student).await.len() == 2
    })
    .await;

    for key in ["student.created", "evaluation.created", "auth.user.deleted"] {
        let refused = publish(&pika, url, key, "{}").await;
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && error.contains("403"),
            "{key}: {error}"
        );
    }
    for queue in queues() {
        assert!(
            !production.may_read(PUBLISHER, queue.name).await,
            "{}",
            queue.name
        );
        assert!(
            !production
                .may_bind(PUBLISHER, queue.name, "stage.created")
                .await,
            "{}",
            queue.name
        );
    }
}

#[tokio::test]
async fn a_score_out_of_its_bounds_is_dead_with_the_field_and_its_bounds() {
    let stack = Stack::start().await;
    let meta = json!({"event_id": "3e1a4c52-7f0b-4d5e-9c83-1a2b3c4d5e6f", "timestamp": "2026-01-05T10:00:00Z",
                      "routing_key": "evaluation.created", "source": "eval-service"});
    let mut payload = serde_json::to_value(EvaluationCreated::sample()).expect("JSON");
    payload["score"] = json!(500);
    let event = json!({"payload": payload, "_meta": meta});
    stack
        .vhost
        .publish("evaluation.created", event.to_string())
        .await;
    let dead = "parked_event where kind = 'bad_payload' and reason like '%field score: must be from 0 to 100%'";
    eventually(SOON, "it is dead, with the field", async || {
        stack.comm.count(dead).await == 1
    })
    .await;
}
