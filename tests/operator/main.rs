//! What an operator asks and does, with the built command, beside a running stack. Every verb runs with the logins of
//! operators, not with those of services.

mod advice;
mod ask;
mod dead;
mod doctor;
mod events;
mod findings;
mod foreign;
mod hostile;
mod indexes;
mod look;
mod mails;
mod reconcile;
mod replay;
mod trace;

use serde_json::{Value, json};
use std::{process::Output, time::Duration};
use test_support::{Stack, Unit, servers};
use tokio::process::Command;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(15);

/// Runs `medtrack …` beside a stack; its addresses come from the environment, as in containers.
pub(crate) async fn medtrack(stack: &Stack, arguments: &str) -> Output {
    let output = command(stack, arguments).output().await;
    output.expect("medtrack runs")
}

pub(crate) fn command(stack: &Stack, arguments: &str) -> Command {
    let management: reqwest::Url = servers::management_url().parse().expect("an address");
    let mut command = Command::new(servers::binary("medtrack"));
    command
        .args(arguments.split_whitespace())
        .env(
            "MEDTRACK_HOME",
            std::env::temp_dir().join(format!("medtrack-none-{}", Uuid::new_v4())),
        )
        .envs(stack.operator_variables())
        .envs(internal(stack))
        .env("MEDTRACK_OPERATOR", "amina")
        .env("AMQP_URL", &stack.vhost.amqp_url)
        .env(
            "RABBITMQ_MANAGEMENT_URL",
            management.as_str().trim_end_matches('/'),
        );
    command
}

/// Where each process tells of its health, by the names of docker-compose.yml.
fn internal(stack: &Stack) -> impl Iterator<Item = (String, String)> {
    Unit::ALL.into_iter().map(|unit| {
        let role = match Unit::CONSUMERS.contains(&unit) {
            true => "_CONSUMER",
            false => "",
        };
        let service = unit.service().short.to_uppercase();
        (
            format!("{service}{role}_INTERNAL_URL"),
            format!("http://{}", stack.internal(unit)),
        )
    })
}

pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub(crate) async fn said(stack: &Stack, arguments: &str) -> String {
    let output = medtrack(stack, arguments).await;
    assert!(output.status.success(), "{arguments}: {}", text(&output));
    text(&output)
}

pub(crate) async fn json_of(stack: &Stack, arguments: &str) -> Value {
    let output = medtrack(stack, arguments).await;
    assert!(output.status.success(), "{arguments}: {}", text(&output));
    // What a limit leaves out is said on standard error.
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A message that profile-service cannot handle for want of a role that it knows.
pub(crate) async fn poison(stack: &Stack, email: &str) {
    let event = json!({"payload": {"user_id": Uuid::now_v7(), "email": email, "role": "king"},
                       "_meta": {"event_id": Uuid::now_v7(), "source": "core-service"}});
    stack
        .vhost
        .publish("auth.user.created", event.to_string())
        .await;
}
