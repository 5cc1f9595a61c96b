//! What needs no operator's login: the look-ups of the services, completions, the list of commands.

use crate::{SOON, text};
use events::Role;
use serde_json::Value;
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
    let output = output.expect("medtrack runs");
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let commands = all["commands"].as_array().expect("it has commands");
    let doctor = commands.iter().find(|one| one["name"] == "doctor");
    let doctor = doctor.expect("it has a doctor");
    assert_eq!(doctor["aliases"][0], "health");
    let arguments = doctor["arguments"].as_array();
    assert!(arguments.is_some_and(|all| all.iter().any(|one| one["long"] == "quiet")));
    let dead = commands.iter().find(|one| one["name"] == "dead");
    assert!(dead.is_some_and(|dead| dead["commands"].as_array().is_some_and(|all| all.len() > 3)));
}

#[tokio::test]
async fn a_wrong_command_line_has_an_exit_code_of_its_own() {
    for (arguments, code) in [
        (&["docter"][..], 64),
        (&["doctor", "--no-such-option"], 64),
        (&[], 64),
        (&["--help"], 0),
        (&["help", "doctor"], 0),
    ] {
        let mut command = Command::new(servers::binary("medtrack"));
        let output = command
            .args(arguments)
            .output()
            .await
            .expect("medtrack runs");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}
