//! What an operator asks and does, with the built command, beside a running stack.

use events::Role;
use serde_json::{Value, json};
use std::{process::Output, time::Duration};
use test_support::{Stack, Unit, eventually, servers, stack::Links};
use tokio::process::Command;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(15);

/// Runs `medtrack …` beside a stack; its addresses come from the environment, as in containers.
async fn medtrack(stack: &Stack, arguments: &str) -> Output {
    let management: reqwest::Url = servers::management_url().parse().expect("an address");
    Command::new(servers::binary("medtrack"))
        .args(arguments.split_whitespace())
        .env(
            "MEDTRACK_HOME",
            std::env::temp_dir().join(format!("medtrack-none-{}", Uuid::new_v4())),
        )
        .env("AUTH_DATABASE_URL", &stack.auth.url)
        .env("PROFILE_DATABASE_URL", &stack.profile.url)
        .env("COMM_DATABASE_URL", &stack.comm.url)
        .env("AMQP_URL", &stack.vhost.amqp_url)
        .env(
            "RABBITMQ_MANAGEMENT_URL",
            management.as_str().trim_end_matches('/'),
        )
        .output()
        .await
        .expect("medtrack runs")
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

async fn said(stack: &Stack, arguments: &str) -> String {
    let output = medtrack(stack, arguments).await;
    assert!(output.status.success(), "{arguments}: {}", text(&output));
    text(&output)
}

async fn json_of(stack: &Stack, arguments: &str) -> Value {
    serde_json::from_str(&said(stack, arguments).await).expect("JSON")
}

/// A message that profile-service cannot handle for want of a role that it knows.
async fn poison(stack: &Stack, email: &str) {
    let event = json!({"payload": {"user_id": Uuid::now_v7(), "email": email, "role": "king"},
                       "_meta": {"event_id": Uuid::now_v7()}});
    stack
        .vhost
        .publish("auth.user.created", event.to_string())
        .await;
}

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

#[tokio::test]
async fn a_trace_shows_each_hop_and_where_it_is_stuck() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::ProfileConsumer])
        .await;
    let account = stack.client.register(Role::Student).await;
    eventually(SOON, "it is stuck at comm-service", async || {
        said(&stack, &format!("trace {}", account.email))
            .await
            .contains("stuck at comm-service: student.created")
    })
    .await;
    stack
        .start_units(&[Unit::AuthConsumer, Unit::CommConsumer])
        .await;
    let complete = eventually(SOON, "it is complete", async || {
        let told = said(&stack, &format!("trace {}", account.user_id)).await;
        told.contains("complete in").then_some(told)
    })
    .await;
    for hop in [
        "auth.user.created committed",
        "auth.user.created handled",
        "student.created published",
        "notification written (welcome)",
    ] {
        assert!(complete.contains(hop), "{hop}: {complete}");
    }
    assert!(
        !complete.contains(&account.email),
        "only what was asked with names a person"
    );
    let chain = json_of(&stack, &format!("trace {} --json", account.user_id)).await;
    let correlation = chain[0]["correlation_id"].as_str().unwrap();
    assert!(
        said(&stack, &format!("trace {correlation}"))
            .await
            .contains("complete in")
    );
    for unknown in [
        "trace nobody@example.com",
        "trace 01a20942-4f9c-77ab-96e5-4bc61d4632b2",
    ] {
        let refused = medtrack(&stack, unknown).await;
        assert!(
            !refused.status.success() && text(&refused).contains("try:"),
            "{}",
            text(&refused)
        );
    }
}

/// What `doctor` calls broken, and what it says to try.
async fn broken(stack: &Stack) -> Vec<(String, String)> {
    let output = medtrack(stack, "doctor --json").await;
    let findings: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let broken: Vec<_> = findings
        .as_array()
        .into_iter()
        .flatten()
        .filter(|finding| finding["level"] == "broken")
        .map(|finding| (finding["what"].to_string(), finding["try"].to_string()))
        .collect();
    assert_eq!(
        output.status.success(),
        broken.is_empty(),
        "the exit code tells"
    );
    broken
}

async fn finds(stack: &Stack, what: &str, advice: &str) {
    eventually(SOON, what, async || {
        let found = broken(stack).await;
        found
            .iter()
            .any(|(found, try_)| found.contains(what) && try_.contains(advice))
    })
    .await;
}

#[tokio::test]
async fn the_doctor_finds_what_is_broken_and_says_what_to_try() {
    let mut stack = Stack::start().await;
    eventually(SOON, "all is well", async || {
        broken(&stack).await.is_empty()
    })
    .await;

    stack.stop(Unit::CommConsumer, SOON).await;
    finds(
        &stack,
        "nobody handles comm.events",
        "docker-compose restart comm-service-consumer",
    )
    .await;
    stack.start_units(&[Unit::CommConsumer]).await;

    poison(&stack, "a@example.com").await;
    finds(
        &stack,
        "1 events cannot be handled by profile-service",
        "./medtrack dead list --service profile",
    )
    .await;
    said(&stack, "dead discard --all").await;

    let mut holder = stack.comm.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table communications_notification")
        .execute(&mut *holder)
        .await
        .unwrap();
    finds(
        &stack,
        "holds communications_notification of comm-service locked",
        "pg_terminate_backend",
    )
    .await;
    holder.rollback().await.unwrap();

    let channel = stack.vhost.channel().await;
    let options = lapin::options::QueueDeleteOptions::default();
    stack.stop(Unit::AuthConsumer, SOON).await;
    channel
        .queue_delete("auth.events".into(), options)
        .await
        .unwrap();
    finds(
        &stack,
        "the queue auth.events is missing",
        "./medtrack topology apply",
    )
    .await;
    assert!(said(&stack, "topology apply").await.contains("auth.events"));
    stack.start_units(&[Unit::AuthConsumer]).await;
    eventually(SOON, "all is well again", async || {
        broken(&stack).await.is_empty()
    })
    .await;

    let queues = json_of(&stack, "queues --json").await;
    assert_eq!(queues.as_array().map(Vec::len), Some(3));
    let account = stack.client.register(Role::Student).await;
    eventually(SOON, "a proof of life", async || {
        stack.client.notifications(&account).await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn what_is_not_published_is_listed_and_the_doctor_says_why() {
    let mut stack = Stack::prepare(Links::Proxied).await;
    stack.start_units(&[Unit::Auth]).await;
    stack.set_broker(test_support::Mode::Refuse);
    stack.client.register(Role::Student).await;
    let outbox = json_of(&stack, "outbox --json").await;
    assert_eq!(
        (&outbox[0]["service"], &outbox[0]["routing_key"]),
        (&json!("auth"), &json!("auth.user.created"))
    );
    stack
        .auth
        .run("update outbox set created_at = now() - interval '1 minute'")
        .await;
    finds(
        &stack,
        "events of auth-service wait to be published",
        "restart rabbitmq",
    )
    .await;
    stack.set_broker(test_support::Mode::Pass);
    eventually(SOON, "all is published", async || {
        json_of(&stack, "outbox --json").await == json!([])
    })
    .await;
}

#[tokio::test]
async fn the_look_ups_print_what_the_original_systems_shell_printed() {
    let stack = Stack::start().await;
    let account = stack.client.register(Role::Student).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&account).await.len() == 1
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
    let (found, student) = look(
        "profile-service",
        &stack.profile.url,
        &format!("student --email {}", account.email),
    )
    .await;
    let id = stack.profile.value("select id from profiles_student").await;
    assert!(
        found && student.contains(&format!("Student: {id}, ")),
        "{student}"
    );
    let (found, told) = look("comm-service", &stack.comm.url, "notifications --latest").await;
    assert!(
        found && told.contains("Notification: Welcome to MedTrack!\nContent: Hello "),
        "{told}"
    );
    let (found, nobody) = look(
        "profile-service",
        &stack.profile.url,
        "student --email nobody@example.com",
    )
    .await;
    assert!(!found && nobody.contains("try:"), "{nobody}");
}

#[tokio::test]
async fn an_event_is_published_by_hand_if_somebody_can_read_it() {
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
        "events publish student.created --set student_id={student_id} --set user_id={user_id}"
    );
    assert!(
        said(&stack, &student)
            .await
            .contains("Published student.created to auth.events and comm.events.")
    );
    let stage = format!(
        "events publish stage.accepted --set student_id={student_id} --set start_date=2027-02-01"
    );
    assert!(
        said(&stack, &stage)
            .await
            .contains("Published stage.accepted to comm.events.")
    );
    let told = "communications_notification where content like '%will begin on 2027-02-01.'";
    eventually(SOON, "the student is told", async || {
        stack.comm.count(told).await == 1
    })
    .await;

    for bad in [
        "events publish stage.accepted --set student_id=nobody",
        "events publish stage.accepted --set nothing",
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
        "what nobody could read was not published"
    );
}

#[tokio::test]
async fn the_bus_is_watched_without_showing_what_is_said() {
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
    // The queue of its own is there a moment after it says so.
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
