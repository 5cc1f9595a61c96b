//! Parked events: list, show, replay, discard, undo, and the audit of what was done.

use crate::{SOON, json_of, medtrack, poison, said, text};
use serde_json::Value;
use test_support::{Stack, eventually};

async fn refused(stack: &Stack, arguments: &str) -> String {
    let output = medtrack(stack, arguments).await;
    let said = text(&output);
    assert!(!output.status.success(), "{arguments}: {said}");
    said
}

async fn dead(stack: &Stack, count: i64) {
    eventually(SOON, "dead events", async || {
        stack
            .profile
            .count("parked_event where state = 'dead'")
            .await
            == count
    })
    .await;
}

async fn state(stack: &Stack) -> String {
    let rows = "select string_agg(parked_event::text, ',' order by event_id) from parked_event";
    stack.profile.value(rows).await
}

fn column<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    let rows = list.as_array().expect("a list").iter();
    rows.map(|row| row[name].as_str().expect("a text"))
        .collect()
}

/// The example of a cause.
async fn example(stack: &Stack, cause: &str) -> String {
    let causes = json_of(stack, &format!("dead list --cause {cause} --json")).await;
    column(&causes, "example")[0].to_owned()
}

#[tokio::test]
async fn dead_events_are_listed_by_cause_and_shown_masked() {
    let stack = Stack::start().await;
    assert!(
        said(&stack, "dead list")
            .await
            .contains("No event is parked.")
    );
    poison(&stack, "secret@example.com").await;
    poison(&stack, "other@example.com").await;
    stack.vhost.publish("auth.user.created", "{nope").await;
    dead(&stack, 3).await;

    let causes = json_of(&stack, "dead list --json").await;
    assert_eq!(column(&causes, "kind"), ["bad_payload", "not_json"]);
    assert_eq!(causes[0]["source"], "core-service");
    let reason = column(&causes, "reason")[0].to_owned();
    assert!(
        reason.starts_with("field role: must be one of: "),
        "{reason}"
    );
    let listed = said(&stack, "dead").await;
    assert!(
        listed.contains("profile  2 events dead  bad_payload  auth.user.created from core-service")
            && listed.contains(&reason),
        "{listed}"
    );
    assert!(
        listed.lines().all(|line| line.chars().count() <= 80),
        "{listed}"
    );
    assert_eq!(
        json_of(&stack, "dead list --each --limit 1 --json")
            .await
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        json_of(&stack, "dead list --since 1h --each --json")
            .await
            .as_array()
            .map(Vec::len),
        Some(3)
    );

    let id = column(&causes, "example")[0].to_owned();
    let shown = said(&stack, &format!("dead show {id}")).await;
    for part in [
        "\"email\": \"…\"",
        "\"event_id\": \"",
        "field role: must be one of",
        "Tell the people of core-service",
        &format!("try: ./medtrack dead discard {id}"),
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let each = said(&stack, "dead list --each --json").await;
    for text in [&shown, &listed, &each] {
        assert!(
            !text.contains("secret@example.com") && !text.contains("king"),
            "{text}"
        );
    }
    assert_eq!(stack.profile.count("operator_audit").await, 0);
    let whole = said(&stack, &format!("dead show {id} --payload")).await;
    assert!(
        whole.contains("@example.com") && whole.contains("king"),
        "{whole}"
    );
    let look = "operator_audit where verb = 'show_payload' and person = 'amina'";
    assert_eq!(stack.profile.count(look).await, 1);
}

#[tokio::test]
async fn a_discard_of_many_needs_a_yes_and_is_undone() {
    let stack = Stack::start().await;
    poison(&stack, "secret@example.com").await;
    stack.vhost.publish("auth.user.created", "{nope").await;
    dead(&stack, 2).await;
    for nothing in [
        "dead discard",
        "dead undo",
        "dead discard --service comm",
        "dead undo --all",
    ] {
        let said = refused(&stack, nothing).await;
        assert!(said.contains("try:"), "{said}");
    }
    let old =
        "update parked_event set last_at = now() - interval '61 days' where kind = 'not_json'";
    stack.profile.run(old).await;
    let checks = text(&medtrack(&stack, "doctor").await);
    assert!(
        checks.contains("1 dead event of profile-service is older than 60 days"),
        "{checks}"
    );
    let before = state(&stack).await;
    let dry = said(&stack, "dead discard --all --dry-run").await;
    assert!(dry.contains("2 events would be discarded"), "{dry}");
    let unasked = refused(&stack, "dead discard --all").await;
    assert!(
        unasked.contains("Discard 2 events?") && unasked.contains("try: add --yes"),
        "{unasked}"
    );
    assert_eq!(before, state(&stack).await, "nothing was changed");

    let done = said(
        &stack,
        "dead discard --all --yes --by nour --why they_are_tests",
    )
    .await;
    assert!(
        done.contains("2 of 2 events discarded") && done.contains("dead list --discarded"),
        "{done}"
    );
    assert!(
        said(&stack, "dead list --waiting")
            .await
            .contains("No event is parked.")
    );
    let discarded = json_of(&stack, "dead list --discarded --each --json").await;
    assert_eq!(column(&discarded, "state"), ["discarded", "discarded"]);
    let id = column(&discarded, "event_id")[0].to_owned();
    let shown = said(&stack, &format!("dead show {id}")).await;
    assert!(
        shown.contains(&format!("try: ./medtrack dead undo {id}")),
        "{shown}"
    );
    let not_replayed = refused(&stack, &format!("dead replay {id}")).await;
    assert!(not_replayed.contains("try:"), "{not_replayed}");

    // One needs no question.
    assert!(
        said(&stack, "dead undo --all")
            .await
            .contains("2 of 2 events brought back")
    );
    dead(&stack, 2).await;
    assert!(
        said(&stack, "dead discard --cause not_json")
            .await
            .contains("1 of 1 event discarded")
    );
    let audit = json_of(&stack, "audit --json").await;
    assert_eq!(
        column(&audit, "verb"),
        ["discard", "undo", "undo", "discard", "discard"]
    );
    assert_eq!(column(&audit, "person")[3..], ["nour", "nour"]);
    assert_eq!(audit[3]["why"], "they_are_tests");
}

#[tokio::test]
async fn a_replay_tells_what_became_of_the_events_and_stops_when_the_cause_is_still_there() {
    let stack = Stack::start().await;
    for _ in 0..5 {
        poison(&stack, "secret@example.com").await;
    }
    dead(&stack, 5).await;
    let none = refused(&stack, "dead replay").await;
    assert!(none.contains("try:"), "{none}");
    let failed = refused(&stack, "dead replay --cause bad_payload").await;
    for part in [
        "5 events cannot be read",
        "3 dead again: same cause",
        "2 left as they are, because the cause is still there",
        "try: ./medtrack dead list",
    ] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    assert_eq!(
        stack
            .profile
            .count("operator_audit where verb = 'replay'")
            .await,
        3
    );

    // The cause goes away, and an event is handled under its own id.
    let id = example(&stack, "bad_payload").await;
    stack
        .profile
        .run(&format!(
            "update parked_event set body = convert_to(replace(convert_from(body, 'UTF8'), 'king', 'student'), 'UTF8')
             where event_id = '{id}'"
        ))
        .await;
    let done = said(&stack, &format!("dead replay {id}")).await;
    assert!(done.contains("1 done"), "{done}");
    assert_eq!(stack.profile.count("profiles_student").await, 1);
    let in_inbox = format!("exists (select from inbox where event_id = '{id}')");
    assert!(stack.profile.is(&in_inbox).await);
}
