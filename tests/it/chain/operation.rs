//! What operators read of the chain: health, metrics and log lines, without a secret.

use super::SOON;
use test_support::{Message, Process, Stack, Unit, User, client::PASSWORD, eventually};

/// The health check and the metrics of every process.
pub(super) async fn assert_observable(stack: &Stack) {
    for unit in Unit::ALL {
        let internal = ("INTERNAL_ADDR", stack.internal(unit).to_string());
        Process::run("auth-service", &["healthcheck"], &[internal]).await;
    }
    let unused = ("INTERNAL_ADDR", test_support::port::free().to_string());
    let mut healthcheck = Process::start("auth-service", &["healthcheck"], &[unused]);
    assert_eq!(
        healthcheck.exit(SOON).await.code(),
        Some(1),
        "no process listens there"
    );
    Process::run("profile-service", &["consume_events", "--help"], &[]).await;

    let metrics = async |unit| {
        let url = format!("http://{}/metrics", stack.internal(unit));
        let response = reqwest::get(&url).await.expect("the internal port answers");
        response.text().await.expect("in text")
    };
    for metric in [
        "medtrack_outbox_depth 0",
        "medtrack_outbox_age_seconds 0",
        "medtrack_parked_events{state=\"dead\"} 0",
        "medtrack_events_published_total{routing_key=\"student.created\"} 1",
        "medtrack_events_handled_total{routing_key=\"auth.user.created\"} 2",
        "medtrack_handler_seconds_count{routing_key=\"auth.user.created\"}",
        "medtrack_end_to_end_seconds_count{routing_key=\"auth.user.created\"} 2",
    ] {
        // One of the two processes counts the tables, every 5 s.
        eventually(2 * SOON, metric, async || {
            metrics(Unit::ProfileConsumer).await.contains(metric)
                || metrics(Unit::Profile).await.contains(metric)
        })
        .await;
    }
}

/// No event carries a password, a hash or a token.
pub(super) fn assert_nothing_secret(heard: &[Message], users: &[&User]) {
    assert!(heard.len() >= 4, "two chains of two events");
    for message in heard {
        let body = String::from_utf8_lossy(&message.body);
        for secret in [PASSWORD, "$argon2", "eyJ", "password", "refresh_token"] {
            assert!(
                !body.contains(secret),
                "{secret} in {}",
                message.routing_key
            );
        }
        for user in users {
            assert!(
                !body.contains(
                    user.body["refresh_token"]
                        .as_str()
                        .expect("a refresh token")
                )
            );
        }
    }
}

/// The lines that operators search for are there, and no line has a secret.
pub(super) async fn assert_log_lines(stack: &Stack, student: &User, encadrant: &User) {
    let (auth, profile, comm) = (
        stack.process(Unit::Auth),
        stack.process(Unit::ProfileConsumer),
        stack.process(Unit::CommConsumer),
    );
    let line = auth.line("Published event: auth.user.created").await;
    assert!(
        line.contains("INFO Published event: auth.user.created"),
        "time, level, text: {line}"
    );
    assert!(auth.log().iter().any(|line| line.contains("RabbitMQ")));
    profile
        .line(&format!(
            "INFO ✅ Created student profile for user {}",
            student.user_id
        ))
        .await;
    profile
        .line(&format!(
            "INFO ✅ Created encadrant profile for user {}",
            encadrant.user_id
        ))
        .await;
    profile.line("INFO Published event: student.created").await;
    profile
        .line("INFO Published event: encadrant.created")
        .await;
    for user in [student, encadrant] {
        comm.line(&format!(
            "INFO ✅ Created notification for user {}",
            user.user_id
        ))
        .await;
    }
    for unit in Unit::CONSUMERS {
        stack.process(unit).line("Waiting for events...").await;
    }
    for unit in Unit::ALL {
        for line in stack.process(unit).log() {
            for secret in [
                PASSWORD,
                "eyJ",
                "$argon2",
                "amqp://",
                "postgres://",
                &student.email,
                &encadrant.email,
            ] {
                assert!(!line.contains(secret), "{unit:?}: {line}");
            }
        }
    }
}
