//! What the doctor finds beside a stack whose processes are not the launcher's, as in containers; the outbox, which it
//! explains.

use crate::{
    SOON,
    findings::{causes_are, commands, findings, only, well},
    json_of, medtrack, poison, said, text,
};
use events::{Role, topology::SERVICES};
use lapin::types::FieldTable;
use serde_json::json;
use test_support::{Stack, Unit, eventually, stack::Links};

#[tokio::test]
async fn the_doctor_finds_what_is_broken_and_says_what_to_try() {
    let mut stack = Stack::start().await;
    well(&stack).await;
    let quiet = medtrack(&stack, "doctor --quiet").await;
    assert_eq!((quiet.status.code(), text(&quiet).as_str()), (Some(0), ""));
    let all = text(&medtrack(&stack, "doctor").await);
    assert!(
        all.starts_with("✓ all ") && all.lines().count() == 3,
        "{all}"
    );
    assert!(all.contains(" checks, 0 broken, 0 warnings"), "{all}");
    let all = text(&medtrack(&stack, "doctor --verbose").await);
    assert!(
        all.contains("auth-service has published all its events"),
        "{all}"
    );
    let result = findings(&stack).await;
    let start = result.get("restarts").expect("it says what it cannot see");
    assert!(start["what"].to_string().contains("docker ps"), "{start}");
    assert!(start["figures"]["last_start_seconds"].is_u64(), "{start}");

    stack.stop(Unit::CommConsumer, SOON).await;
    let stopped = only(&stack, "process_down").await;
    assert_eq!(
        commands(&stopped),
        ["docker-compose restart comm-service-consumer"]
    );
    let followers = findings(&stack).await;
    assert_eq!(followers.followers(), ["queue_without_consumer"]);
    stack.start_units(&[Unit::CommConsumer]).await;

    poison(&stack, "a@example.com").await;
    let dead = only(&stack, "events_dead").await;
    assert_eq!(commands(&dead), ["./medtrack dead list --service profile"]);
    assert_eq!(dead["figures"]["events"], 1);
    let seen = text(&medtrack(&stack, "doctor").await);
    let lines: Vec<&str> = seen.lines().filter(|line| line.starts_with('✓')).collect();
    assert!(seen.starts_with('✗') && lines.len() == 1, "{seen}");
    assert!(lines[0].contains(" checks are good"), "{seen}");
    assert!(dead["what"].to_string().contains("cannot handle 1 event:"));
    let quiet = medtrack(&stack, "doctor --quiet").await;
    let first = text(&quiet);
    assert!(first.starts_with("✗ profile-service cannot"), "{first}");
    assert!(
        !first.contains('✓') && quiet.status.code() == Some(1),
        "{first}"
    );
    said(&stack, "dead discard --all --yes").await;
    well(&stack).await;

    let channel = stack.vhost.channel().await;
    let options = lapin::options::QueueDeleteOptions::default();
    stack.stop(Unit::AuthConsumer, SOON).await;
    let deleted = channel.queue_delete("auth.events".into(), options).await;
    deleted.expect("the queue exists");
    let result = causes_are(&stack, &["queue_missing", "process_down"]).await;
    assert_eq!(commands(result.causes()[0]), ["./medtrack topology apply"]);
    assert!(said(&stack, "topology apply").await.contains("auth.events"));
    stack.start_units(&[Unit::AuthConsumer]).await;
    well(&stack).await;

    let queues = json_of(&stack, "queues --json").await;
    assert_eq!(queues.as_array().map(Vec::len), Some(SERVICES.len()));
    let one = said(&stack, "queues --limit 1").await;
    assert!(
        one.contains("auth.events") && !one.contains("comm.events"),
        "{one}"
    );
    assert!(one.contains("2 more; --limit shows them."), "{one}");
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "a proof of life", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn what_is_not_published_is_listed_and_the_doctor_says_why() {
    let mut stack = Stack::prepare(Links::Proxied).await;
    stack.start_units(&Unit::ALL).await;
    stack.set_broker(test_support::Mode::Refuse);
    stack.client.register(Role::Student).await;
    let outbox = json_of(&stack, "outbox --json").await;
    assert_eq!(
        (&outbox[0]["service"], &outbox[0]["routing_key"]),
        (&json!("auth"), &json!("auth.user.created"))
    );
    let young = findings(&stack).await;
    let young = young.get("outbox").expect("the grace time has a figure");
    assert!(
        young["figures"]["oldest_seconds"].as_u64() < Some(10),
        "{young}"
    );
    limits(&stack).await;
    stack
        .auth
        .run("update outbox set created_at = now() - interval '1 minute'")
        .await;
    // The broker answers the doctor, and not the services: their own reasons say so.
    let result = findings(&stack).await;
    let relay = result.get("relay_failing").expect("the relay says why");
    let reason = "cannot publish events: cannot reach RabbitMQ";
    assert!(relay["what"].to_string().contains(reason), "{relay}");
    assert!(result.followers().contains(&"events_unpublished"));
    stack.set_broker(test_support::Mode::Pass);
    eventually(SOON, "all is published", async || {
        json_of(&stack, "outbox --json").await == json!([])
    })
    .await;
    well(&stack).await;
}

/// What a limit leaves out is counted.
async fn limits(stack: &Stack) {
    stack.client.register(Role::Student).await;
    let one = said(stack, "outbox --limit 1").await;
    assert!(one.contains("\n1 more; --limit shows them."), "{one}");
    let json = medtrack(stack, "outbox --limit 1 --json").await;
    let events: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    let beside = String::from_utf8_lossy(&json.stderr);
    assert!(beside.starts_with("1 more"), "{beside}");
    stack
        .auth
        .run(
            "update outbox set created_at = now() - interval '2 hours'
             where event_id = (select event_id from outbox order by created_at limit 1)",
        )
        .await;
    let late = json_of(stack, "outbox --since 1h --json").await;
    assert_eq!(late.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_another_system_has_left_on_the_broker_is_removed_as_the_doctor_advises() {
    let mut stack = Stack::prepare(Links::Direct).await;
    let channel = stack.vhost.channel().await;
    let durable = lapin::options::QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let classic = channel.queue_declare("comm.events".into(), durable, FieldTable::default());
    classic.await.unwrap();
    channel
        .basic_publish(
            "".into(),
            "comm.events".into(),
            lapin::options::BasicPublishOptions::default(),
            b"of the other system",
            lapin::BasicProperties::default(),
        )
        .await
        .unwrap();
    let others = Unit::ALL.into_iter();
    let others: Vec<_> = others.filter(|unit| *unit != Unit::CommConsumer).collect();
    stack.start_units(&others).await;
    stack.spawn(&[Unit::CommConsumer]);
    let replace = "./medtrack topology replace comm.events";
    eventually(SOON, "the queue of the other system", async || {
        let result = findings(&stack).await;
        commands(result.get("queue_foreign")?)
            .contains(&replace.to_owned())
            .then_some(())
    })
    .await;
    let refused = medtrack(&stack, "topology replace comm.events").await;
    let refusal = text(&refused);
    assert!(
        !refused.status.success() && refusal.contains("try: add --yes"),
        "{refusal}"
    );
    assert!(
        refusal.contains("1 message in it? There is no way back."),
        "{refusal}"
    );
    let line = stack
        .process(Unit::CommConsumer)
        .line("topology replace")
        .await;
    assert!(
        line.contains("try: ./medtrack topology replace comm.events"),
        "{line}"
    );

    said(&stack, "topology replace comm.events --yes").await;
    stack.start_units(&[Unit::CommConsumer]).await;
    let later = stack.client.register(Role::Student).await;
    eventually(SOON, "a proof of life", async || {
        stack.client.notifications(&later).await.len() == 1
    })
    .await;
    well(&stack).await;

    let old = lapin::options::ExchangeDeclareOptions::default();
    let kind = lapin::ExchangeKind::Topic;
    channel
        .exchange_declare("old".into(), kind, old, FieldTable::default())
        .await
        .unwrap();
    channel
        .queue_bind(
            "profile.events".into(),
            "old".into(),
            "user.created".into(),
            lapin::options::QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let unbind = only(&stack, "exchange_foreign").await;
    assert_eq!(commands(&unbind), ["./medtrack topology unbind old"]);
    assert_eq!(findings(&stack).await.status, Some(2), "a warning");
    let refused = text(&medtrack(&stack, "topology unbind old").await);
    assert!(refused.contains("try: add --yes"), "{refused}");
    only(&stack, "exchange_foreign").await;
    let done = said(&stack, "topology unbind old --yes --why moved").await;
    assert!(
        done.starts_with("profile.events: no message of old"),
        "{done}"
    );
    well(&stack).await;
    let audit = json_of(&stack, "audit --json").await;
    let row = |at: usize| {
        ["verb", "service", "detail", "why", "person"].map(|name| audit[at][name].clone())
    };
    let texts = ["unbind", "profile", "old", "moved", "amina"];
    assert_eq!(row(0), texts.map(|text| json!(text)));
    assert_eq!(audit[1]["verb"], "replace_queue");
    assert_eq!(
        audit[1]["detail"],
        "comm.events of another system, with 1 message"
    );
}

#[tokio::test]
async fn the_exchange_of_this_system_and_an_unknown_one_are_not_unbound() {
    let stack = Stack::start().await;
    for (exchange, reason) in [
        ("events.topic", "is the exchange of this system"),
        ("nothing", "no queue receives messages"),
    ] {
        let refused = medtrack(&stack, &format!("topology unbind {exchange} --yes")).await;
        let refusal = text(&refused);
        assert!(
            !refused.status.success() && refusal.contains(reason),
            "{refusal}"
        );
    }
    well(&stack).await;
    assert_eq!(stack.auth.count("operator_audit").await, 0);
}
