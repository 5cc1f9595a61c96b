//! Events published by hand, and the bus as it is watched.

use crate::{SOON, json_of, medtrack, said, text};
use serde_json::json;
use std::time::Duration;
use test_support::{Stack, Unit, eventually, servers, stack::Links};
use tokio::process::Command;
use uuid::Uuid;

#[tokio::test]
async fn an_event_is_published_by_hand_if_its_consumers_can_read_it() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::CommConsumer]).await;
    let events = json_of(&stack, "events list --json").await;
    assert_eq!(
        events.as_array().map(Vec::len),
        Some(events::catalogue::EVENTS.len())
    );
    assert!(
        said(&stack, "events show stage.accepted")
            .await
            .contains("start_date")
    );

    let (student_id, user_id) = (Uuid::now_v7(), Uuid::now_v7());
    let student = format!(
        "events publish student.created --set student_id={student_id} --set user_id={user_id} --yes"
    );
    assert!(
        said(&stack, &student)
            .await
            .contains("Published student.created to auth.events and comm.events.")
    );
    let stage = format!(
        "events publish stage.accepted --set stage_id={} --set student_id={student_id} --set start_date=2027-02-01",
        Uuid::now_v7()
    );
    let unasked = medtrack(&stack, &stage).await;
    assert!(
        !unasked.status.success()
            && text(&unasked).contains("no terminal to ask on; try: add --yes"),
        "{}",
        text(&unasked)
    );
    let dry = said(&stack, &format!("{stage} --dry-run")).await;
    assert!(dry.contains("Nothing was published."), "{dry}");
    assert!(
        said(&stack, &format!("{stage} --yes"))
            .await
            .contains("Published stage.accepted to comm.events.")
    );
    let rows = "communications_notification where content like '%will begin on 2027-02-01.'";
    eventually(SOON, "the student is notified", async || {
        stack.comm.count(rows).await == 1
    })
    .await;

    let audit = json_of(&stack, "audit --json").await;
    let rows: Vec<String> = { audit.as_array() }
        .into_iter()
        .flatten()
        .map(|row| {
            format!("{} {} {}", row["service"], row["verb"], row["routing_key"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        rows.len(),
        3,
        "one at each service that receives the event: {rows:?}"
    );
    assert_eq!(rows[0], "comm publish stage.accepted");

    for bad in [
        "events publish stage.accepted --set student_id=nobody",
        "events publish stage.accepted --set nothing",
        "events publish stage.accepted --set studentId=1",
        "events publish stage.accepted --yes",
        "events publish stage.accepted --file /does/not/exist",
        "events publish stage.archived",
        "events show nothing",
    ] {
        let refused = medtrack(&stack, bad).await;
        assert!(
            !refused.status.success() && text(&refused).contains("try:"),
            "{bad}: {}",
            text(&refused)
        );
    }
    assert_eq!(
        stack.comm.count("inbox").await,
        2,
        "an unreadable event was not published"
    );
}

#[tokio::test]
async fn the_bus_is_watched_without_showing_values() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let stack = Stack::prepare(Links::Direct).await;
    let mut watch = Command::new(servers::binary("medtrack"))
        .args(["watch", "student.*"])
        .env("AMQP_URL", &stack.vhost.amqp_url)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("medtrack runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    let first = lines.next_line().await.unwrap().unwrap_or_default();
    assert!(first.starts_with("Listening to student.*"), "{first}");
    let event =
        json!({"payload": {"email": "secret@example.com"}, "_meta": {"source": "profile-service"}})
            .to_string();
    // The command prints its first line a moment before its queue exists.
    let line = eventually(SOON, "a line", async || {
        stack.vhost.publish("student.updated", &event).await;
        stack.vhost.publish("auth.user.created", &event).await;
        tokio::time::timeout(Duration::from_millis(300), lines.next_line())
            .await
            .ok()?
            .ok()?
    })
    .await;
    assert!(
        line.contains("student.updated") && line.contains("profile-service"),
        "{line}"
    );
    assert!(!line.contains("secret@example.com"), "{line}");
}
