//! The facts beside the payload: ids, times and versions, as foreign publishers send them too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use events::{Envelope, EventId, RawMessage, topology};

fn raw<'a>(routing_key: &'a str, body: &'a [u8]) -> RawMessage<'a> {
    RawMessage {
        exchange: topology::EXCHANGE,
        routing_key,
        message_id: None,
        app_id: None,
        body,
    }
}

/// The id of a message with this `_meta`, under this key.
fn id_of(routing_key: &str, meta: &str) -> EventId {
    let body = format!(r#"{{"payload": {{}}, "_meta": {meta}}}"#);
    let raw = raw(routing_key, body.as_bytes());
    Envelope::decode(&raw).unwrap().meta.event_id
}

#[test]
fn our_publishers_events_keep_their_ids() {
    let ours = r#"{"event_id": "019ab3c1-5a31-7a00-8000-000000000001", "source": "auth-service", "aggregate_version": 1}"#;
    let by_hand = r#"{"event_id": "019ab3c1-5a31-7a00-8000-000000000001", "source": "medtrack"}"#;
    for meta in [ours, by_hand] {
        assert_eq!(
            id_of("stage.created", meta),
            "019ab3c1-5a31-7a00-8000-000000000001".parse().unwrap()
        );
    }
}

#[test]
fn one_id_of_a_foreign_publisher_under_two_keys_names_two_events() {
    let meta = r#"{"event_id": "019ab3c1-5a31-7a00-8000-000000000001", "source": "core-service"}"#;
    let created = id_of("stage.created", meta);
    assert_eq!(created, id_of("stage.created", meta), "a copy");
    assert_ne!(created, id_of("stage.accepted", meta));
}

#[test]
fn without_an_event_id_the_id_is_a_digest_of_all_that_was_sent() {
    let sent = raw("stage.created", br#"{"payload": {}, "_meta": {}}"#);
    let one = RawMessage {
        message_id: Some("1"),
        app_id: Some("core"),
        ..sent
    };
    let others = [
        RawMessage {
            exchange: "another",
            ..one
        },
        RawMessage {
            app_id: Some("eval"),
            ..one
        },
        RawMessage {
            routing_key: "stage.accepted",
            ..one
        },
        RawMessage {
            message_id: Some("2"),
            ..one
        },
        RawMessage {
            body: br#"{"payload": {}, "_meta": {"source": "b"}}"#,
            ..one
        },
    ];
    let id = |raw: &RawMessage<'_>| Envelope::decode(raw).unwrap().meta.event_id;
    assert_eq!(id(&one), id(&one.clone()), "a copy");
    for other in others {
        assert_ne!(id(&one), id(&other), "{other:?}");
    }
}

#[test]
fn a_time_that_orders_nothing_has_a_reason() {
    let now = chrono::Utc::now();
    let time = |timestamp: &str| {
        let body = format!(r#"{{"payload": {{}}, "_meta": {{"timestamp": {timestamp}}}}}"#);
        let raw = raw("auth.user.updated", body.as_bytes());
        Envelope::decode(&raw).and_then(|envelope| envelope.meta.time_of_change(now))
    };
    let ahead = |minutes| {
        format!(
            "{:?}",
            (now + chrono::TimeDelta::minutes(minutes)).to_rfc3339()
        )
    };
    for (timestamp, kind) in [
        ("null".to_owned(), "no_time"),
        ("1765654022".to_owned(), "bad_time"),
        ("\"yesterday\"".to_owned(), "bad_time"),
        (ahead(6), "time_ahead"),
        ("\"9999-12-31T00:00:00Z\"".to_owned(), "time_ahead"),
    ] {
        assert_eq!(time(&timestamp).unwrap_err().kind, kind, "{timestamp}");
    }
    for sound in [
        ahead(4),
        ahead(-600_000),
        "\"2025-12-13T19:27:02\"".to_owned(),
    ] {
        assert!(time(&sound).is_ok(), "{sound}");
    }
}

#[test]
fn a_version_that_leaves_no_room_for_the_next_one_is_refused() {
    for version in [0, -1, i64::MAX, events::meta::MAX_VERSION + 1] {
        let body = format!(r#"{{"payload": {{}}, "_meta": {{"aggregate_version": {version}}}}}"#);
        let refused = Envelope::decode(&raw("auth.user.updated", body.as_bytes())).unwrap_err();
        assert_eq!(refused.kind, "bad_version", "{version}");
    }
}

#[test]
fn a_caused_event_has_one_id_however_often_it_is_made() {
    let (cause, aggregate) = (EventId::new(), uuid::Uuid::now_v7());
    assert_eq!(
        EventId::caused_by(cause, "student.created", aggregate),
        EventId::caused_by(cause, "student.created", aggregate)
    );
    assert_ne!(
        EventId::caused_by(cause, "student.created", aggregate),
        EventId::caused_by(cause, "encadrant.created", aggregate)
    );
}
