//! The question before a change, on a real terminal: `script` runs the command on one of its own.

use crate::{SOON, command, json_of, medtrack, poison, text};
use std::process::Stdio;
use test_support::{Stack, eventually, servers};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs `medtrack …` on a terminal, at which a person types this and then closes the input. Returns whether it succeeded,
/// and what the person saw.
async fn typed(stack: &Stack, arguments: &str, answer: &str) -> (bool, String) {
    let medtrack = servers::binary("medtrack");
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command"])
        .arg(format!("{} {arguments}", medtrack.display()))
        .arg("/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in command(stack, arguments).as_std().get_envs() {
        if let Some(value) = value {
            script.env(name, value);
        }
    }
    let mut script = script.spawn().expect("script runs");
    let mut input = script.stdin.take().expect("it is piped");
    input.write_all(answer.as_bytes()).await.expect("it reads");
    drop(input);
    let output = script.wait_with_output().await.expect("it ends");
    (output.status.success(), text(&output))
}

#[tokio::test]
async fn a_change_asks_on_a_terminal_and_is_not_made_without_a_yes() {
    let stack = Stack::start().await;
    for person in ["a@example.com", "b@example.com"] {
        poison(&stack, person).await;
    }
    let dead = "parked_event where state = 'dead'";
    eventually(SOON, "both are dead", async || {
        stack.profile.count(dead).await == 2
    })
    .await;
    let discard = "dead discard --all --why test";
    for no in ["\n", "n\n", "nonsense\n", ""] {
        let (succeeded, seen) = typed(&stack, discard, no).await;
        assert!(seen.contains("Discard 2 events?"), "{no:?}: {seen}");
        assert!(seen.contains("[y/N]"), "{no:?}: {seen}");
        assert!(!succeeded && seen.contains("nothing was changed"), "{seen}");
    }
    let unasked = medtrack(&stack, discard).await;
    let refusal = text(&unasked);
    assert!(!unasked.status.success(), "{refusal}");
    assert!(refusal.contains("try: add --yes"), "{refusal}");
    assert_eq!(stack.profile.count(dead).await, 2, "nothing was changed");
    assert_eq!(stack.profile.count("operator_audit").await, 0);

    let (succeeded, seen) = typed(&stack, discard, "y\n").await;
    assert!(
        succeeded && seen.contains("2 of 2 events discarded"),
        "{seen}"
    );
    assert_eq!(stack.profile.count(dead).await, 0);
    let audit = json_of(&stack, "audit --json").await;
    assert_eq!(audit.as_array().map(Vec::len), Some(2));
}
