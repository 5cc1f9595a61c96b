//! A bad message stops no other message, and becomes a dead event with a reason.

use events::UserId;
use serde_json::json;
use std::time::{Duration, Instant};
use test_support::{Stack, Unit, eventually, wire};

const KEY: &str = "auth.user.created";
const SOON: Duration = Duration::from_secs(20);

fn event(user_id: &str) -> Vec<u8> {
    let payload = json!({"user_id": user_id, "email": "good@example.com", "first_name": "Good", "last_name": "One", "role": "student"});
    let meta = json!({"timestamp": "2025-12-13T19:27:02.415000Z", "routing_key": KEY, "source": "auth-service"});
    json!({"payload": payload, "_meta": meta})
        .to_string()
        .into_bytes()
}

/// Publishes a good event and waits for its welcome; returns how long that took.
async fn good_one(stack: &Stack) -> Duration {
    let user_id = UserId::new().to_string();
    let began = Instant::now();
    stack.vhost.publish(KEY, event(&user_id)).await;
    let mine = format!("communications_notification where user_id = '{user_id}'");
    eventually(SOON, "the good event behind has its effect", async || {
        stack.comm.count(&mine).await == 1
    })
    .await;
    began.elapsed()
}

#[tokio::test]
async fn bad_messages_are_dead_with_a_reason_and_the_next_one_is_handled() {
    let _turn = crate::alone().await;
    let stack = Stack::start().await;
    let deep = [vec![b'['; 5_000], vec![b']'; 5_000]].concat();
    let deep_payload = [b"{\"_meta\": {}, \"payload\": ", &deep[..], b"}"].concat();
    let bodies: [(&str, Vec<u8>, &str); 10] = [
        ("empty", Vec::new(), "empty"),
        ("not JSON", b"{nope".to_vec(), "not_json"),
        (
            "not UTF-8",
            b"{\"payload\": \"\xff\xfe\"}".to_vec(),
            "not_utf8",
        ),
        ("a scalar", b"42".to_vec(), "not_an_envelope"),
        ("no payload", b"{\"_meta\": {}}".to_vec(), "not_an_envelope"),
        ("a bad UUID", event("not-a-uuid"), "bad_payload"),
        ("5,000 brackets", deep, "not_an_envelope"),
        ("5,000 brackets as payload", deep_payload, "bad_payload"),
        (
            "a foreign role",
            String::from_utf8_lossy(&event(&UserId::new().to_string()))
                .replace("student", "king")
                .into_bytes(),
            "bad_payload",
        ),
        ("too large", vec![b' '; 100_000], "too_large"),
    ];
    for (_, body, _) in &bodies {
        stack.vhost.publish(KEY, body).await;
    }
    let took = good_one(&stack).await;
    assert!(
        took < Duration::from_secs(1),
        "a good event behind {} bad ones took {took:?}",
        bodies.len()
    );

    for (what, body, kind) in &bodies {
        // The first 64 KiB are kept.
        let kept = &body[..body.len().min(64 * 1024)];
        let hex: String = kept.iter().map(|byte| format!("{byte:02x}")).collect();
        let rows = format!("parked_event where body = '\\x{hex}'");
        assert_eq!(stack.profile.count(&rows).await, 1, "{what}: one row");
        let sound = format!(
            "{rows} and state = 'dead' and kind = '{kind}' and reason <> '' and routing_key = '{KEY}' and queue = 'profile.events'"
        );
        let row = stack
            .profile
            .value(&format!(
                "select concat(state, ' ', kind, ': ', reason) from {rows}"
            ))
            .await;
        assert_eq!(stack.profile.count(&sound).await, 1, "{what}: {row}");
    }
    assert_eq!(
        stack.profile.count("parked_event").await,
        i64::try_from(bodies.len()).unwrap()
    );
    assert_nothing_stopped(&stack).await;
}

#[tokio::test]
async fn a_key_that_is_not_utf8_is_dead_alone() {
    let stack = Stack::start().await;
    wire::publish(
        &stack.vhost.amqp_url,
        b"auth.user.\xff\xfe",
        &event(&UserId::new().to_string()),
    )
    .await;
    let took = good_one(&stack).await;
    assert!(
        took < Duration::from_secs(1),
        "the good event behind it took {took:?}"
    );
    eventually(SOON, "one dead row", async || {
        stack
            .profile
            .count("parked_event where state = 'dead' and kind = 'crashed' and reason <> ''")
            .await
            == 1
    })
    .await;
    assert_eq!(
        stack.profile.count("parked_event").await,
        1,
        "no other event"
    );
    assert_nothing_stopped(&stack).await;
}

/// The consumer still runs and is ready, its queues are empty, and it handles the next event.
async fn assert_nothing_stopped(stack: &Stack) {
    let took = good_one(stack).await;
    assert!(took < Duration::from_secs(1), "proof of life took {took:?}");
    for queue in ["profile.events", "profile.events.crashed"] {
        eventually(SOON, "the queues are empty", async || {
            stack.vhost.depth(queue).await == Some(0)
        })
        .await;
    }
    let internal = stack.internal(Unit::ProfileConsumer);
    assert!(
        test_support::process::is_ready(internal).await,
        "the consumer is ready"
    );
    assert_eq!(
        stack.process(Unit::ProfileConsumer).count_lines("panicked"),
        0
    );
}
