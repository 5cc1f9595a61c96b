//! Parked events: list, show, replay, discard.

use crate::{SOON, json_of, medtrack, poison, said, text};
use test_support::{Stack, eventually};

#[tokio::test]
async fn dead_events_are_listed_shown_masked_replayed_and_discarded() {
    let stack = Stack::start().await;
    assert!(
        said(&stack, "dead list")
            .await
            .contains("No event is parked.")
    );
    poison(&stack, "secret@example.com").await;
    stack.vhost.publish("auth.user.created", "{nope").await;
    eventually(SOON, "two dead events", async || {
        stack
            .profile
            .count("parked_event where state = 'dead'")
            .await
            == 2
    })
    .await;

    let causes = json_of(&stack, "dead list --json").await;
    let kinds: Vec<_> = causes
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["kind"].clone())
        .collect();
    assert_eq!(kinds, ["bad_payload", "not_json"]);
    let id = causes[0]["example"].as_str().unwrap().to_owned();
    let shown = said(&stack, &format!("dead show {id}")).await;
    assert!(
        shown.contains("\"email\": \"…\"") && !shown.contains("secret@example.com"),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("try: ./medtrack dead replay {id}")),
        "{shown}"
    );
    assert!(
        said(&stack, &format!("dead show {id} --payload"))
            .await
            .contains("secret@example.com")
    );

    let refused = medtrack(&stack, "dead replay").await;
    assert!(
        !refused.status.success() && text(&refused).contains("try:"),
        "{}",
        text(&refused)
    );
    for nothing in [
        "dead replay --kind no_such_cause",
        "dead discard --service comm",
    ] {
        let refused = medtrack(&stack, nothing).await;
        assert!(
            !refused.status.success() && text(&refused).contains("try:"),
            "{}",
            text(&refused)
        );
    }
    let before = stack
        .profile
        .value("select string_agg(parked_event::text, ',' order by event_id) from parked_event")
        .await;
    assert!(
        said(&stack, "dead discard --all --dry-run")
            .await
            .contains("2 events would be discarded")
    );
    let after = stack
        .profile
        .value("select string_agg(parked_event::text, ',' order by event_id) from parked_event")
        .await;
    assert_eq!(before, after, "a dry run changes nothing");

    // The cause goes away, and the event is handled under its own id.
    stack
        .profile
        .run(&format!(
            "update parked_event set body = convert_to(replace(convert_from(body, 'UTF8'), 'king', 'student'), 'UTF8')
             where event_id = '{id}'"
        ))
        .await;
    assert!(
        said(&stack, &format!("dead replay {id}"))
            .await
            .contains("1 of 1 events replayed")
    );
    eventually(SOON, "it is handled", async || {
        stack.profile.count("profiles_student").await == 1
            && stack.profile.count("parked_event").await == 1
    })
    .await;
    assert!(
        stack
            .profile
            .is(&format!(
                "exists (select from inbox where event_id = '{id}')"
            ))
            .await
    );
    assert!(
        said(&stack, "dead discard --kind not_json")
            .await
            .contains("1 of 1 events discarded")
    );
    assert_eq!(stack.profile.count("parked_event").await, 0);
}
