//! What needs no operator's login: the look-ups of the services, completions, the list of commands.

use crate::{SOON, text};
use events::Role;
use test_support::{Stack, eventually, servers};
use tokio::process::Command;

#[tokio::test]
async fn the_look_ups_print_what_the_original_systems_shell_printed() {
    let stack = Stack::start().await;
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    let look = async |service: &str, url: &str, arguments: &str| {
        let mut command = Command::new(servers::binary(service));
        let output = command
            .args(arguments.split_whitespace())
            .env("DATABASE_URL", url)
            .output()
            .await
            .unwrap();
        (output.status.success(), text(&output))
    };
    let (succeeded, student) = look(
        "profile-service",
        &stack.profile.url,
        &format!("student --email {}", user.email),
    )
    .await;
    let id = stack.profile.value("select id from profiles_student").await;
    assert!(
        succeeded && student.contains(&format!("Student: {id}, ")),
        "{student}"
    );
    let (succeeded, output) = look("comm-service", &stack.comm.url, "notifications --latest").await;
    assert!(
        succeeded && output.contains("Notification: Welcome to MedTrack!\nContent: Hello "),
        "{output}"
    );
    let (succeeded, output) = look(
        "profile-service",
        &stack.profile.url,
        "student --email nobody@example.com",
    )
    .await;
    assert!(!succeeded && output.contains("try:"), "{output}");
}

#[tokio::test]
async fn completions_are_for_every_command() {
    let output = Command::new(servers::binary("medtrack"))
        .args(["completions", "bash"])
        .output()
        .await;
    let script = text(&output.expect("medtrack runs"));
    for command in ["doctor", "trace", "dead", "demo", "watch", "events"] {
        assert!(script.contains(command), "{command}");
    }
}

#[tokio::test]
async fn commands_are_listed_for_the_launchers_help() {
    let output = Command::new(servers::binary("medtrack"))
        .arg("--list-commands")
        .output()
        .await;
    let list = text(&output.expect("medtrack runs"));
    assert!(list.contains("doctor\tFind out what is wrong"), "{list}");
    let lines = list
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    assert!(
        lines.clone().count() >= 11 && lines.clone().all(|line| line.len() == 2),
        "{list}"
    );
}
