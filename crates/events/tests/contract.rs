//! The contract, as tests: every version of every event stays readable, and a malformed message is refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use events::{
    Envelope, Event, EventId, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES, Meta, RawMessage, Role,
    auth::UserCreated,
    catalogue::{self, EVENTS, Validation},
    envelope, key,
    profile::StudentCreated,
    topology,
};
use proptest::prelude::*;

fn raw<'a>(routing_key: &'a str, body: &'a [u8]) -> RawMessage<'a> {
    RawMessage {
        exchange: topology::EXCHANGE,
        routing_key,
        message_id: None,
        app_id: None,
        body,
    }
}

fn refusal(routing_key: &str, body: &[u8]) -> events::Refusal {
    match catalogue::validate(&raw(routing_key, body)) {
        Validation::Refused(refusal) => refusal,
        result => panic!("expected a refusal, got {result:?}"),
    }
}

#[test]
fn samples_are_as_the_snapshots_say() {
    for entry in &EVENTS {
        let sample: serde_json::Value = serde_json::from_str(&entry.sample()).unwrap();
        insta::assert_json_snapshot!(entry.key, sample);
    }
}

/// Files under `tests/published/` are messages as earlier versions published them. Never edit one: add.
#[test]
fn everything_ever_published_can_still_be_read() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/published");
    for entry in &EVENTS {
        for version in 1..=entry.schema_version {
            let file = dir.join(format!("{}@{version}.json", entry.key));
            assert!(
                file.exists(),
                "save the sample of {} as {}:\n{}",
                entry.key,
                file.display(),
                entry.sample()
            );
        }
    }
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let routing_key = name.split('@').next().unwrap();
        let body = std::fs::read(&path).unwrap();
        let result = catalogue::validate(&raw(routing_key, &body));
        assert!(
            matches!(result, Validation::Accepted(_)),
            "{name}: {result:?}"
        );
    }
}

#[test]
fn keys_are_well_formed_distinct_and_routed() {
    for (i, entry) in EVENTS.iter().enumerate() {
        assert!(key::is_well_formed(entry.key), "{}", entry.key);
        assert!(
            topology::is_routed(entry.key),
            "no queue receives {}",
            entry.key
        );
        assert!(
            EVENTS[..i].iter().all(|other| other.key != entry.key),
            "{} occurs twice",
            entry.key
        );
    }
}

#[test]
fn no_payload_has_a_field_named_like_a_secret() {
    fn names(value: &serde_json::Value, into: &mut Vec<String>) {
        if let Some(object) = value.as_object() {
            for (name, value) in object {
                into.push(name.to_lowercase());
                names(value, into);
            }
        } else if let Some(items) = value.as_array() {
            items.iter().for_each(|item| names(item, into));
        }
    }
    for entry in &EVENTS {
        let sample: serde_json::Value = serde_json::from_str(&entry.sample()).unwrap();
        let mut fields = Vec::new();
        names(&sample["payload"], &mut fields);
        for secret in ["password", "token", "secret", "hash"] {
            let leak = fields.iter().find(|name| name.contains(secret));
            assert!(leak.is_none(), "{} carries {leak:?}", entry.key);
        }
    }
}

#[test]
fn the_original_publishers_bare_envelope_is_accepted() {
    let body = br#"{"payload": {"user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11", "email": "user@example.com",
        "first_name": "John", "last_name": "Doe", "role": "student"},
        "_meta": {"timestamp": "2025-12-13T19:27:02.415000Z", "routing_key": "auth.user.created", "source": "auth-service"}}"#;
    let raw = raw("auth.user.created", body);
    let envelope = Envelope::decode(&raw).unwrap();
    let created: UserCreated = envelope.payload().unwrap();
    assert_eq!(created.role, Role::Student);
    assert_eq!(
        (envelope.meta.aggregate_id, envelope.meta.aggregate_version),
        (None, None)
    );
    assert_eq!(
        envelope.meta.event_id,
        raw.fallback_id(),
        "an identical copy has the same id"
    );
    assert_eq!(
        envelope.meta.correlation_id,
        envelope.meta.event_id.as_uuid()
    );
}

#[test]
fn names_may_be_missing_or_null() {
    let body = br#"{"payload": {"student_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11",
        "user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c12", "last_name": null}, "_meta": {}}"#;
    let created: StudentCreated = Envelope::decode(&raw("student.created", body))
        .unwrap()
        .payload()
        .unwrap();
    assert_eq!(
        (created.first_name.as_str(), created.last_name.as_str()),
        ("", "")
    );
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
        let refused = refusal("auth.user.updated", body.as_bytes());
        assert_eq!(refused.kind, "bad_version", "{version}");
    }
}

#[test]
fn malformed_messages_are_refused_with_a_reason() {
    let key = UserCreated::KEY;
    let brackets = "[".repeat(5_000) + &"]".repeat(5_000);
    let nested = format!(r#"{{"payload": {{"user_id": {brackets}}}, "_meta": {{}}}}"#);
    let payload = |payload: &str| format!(r#"{{"payload": {payload}, "_meta": {{}}}}"#);
    let bad_uuid = payload(r#"{"user_id": "42", "email": "a@b.c", "role": "student"}"#);
    let bad_role = payload(
        r#"{"user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11", "email": "a@b.c", "role": "king"}"#,
    );
    let twice = r#"{"payload": {}, "payload": {}, "_meta": {}}"#;
    let huge = "x".repeat(MAX_BODY_BYTES + 1);
    let cases: [(&[u8], &str); 17] = [
        (b"", "empty"),
        (b"\xff\xfe", "not_utf8"),
        (b"hello", "not_json"),
        (br#"{"payload": {"#, "not_json"),
        (b"NaN", "not_json"),
        (b"42", "not_an_envelope"),
        (b"[]", "not_an_envelope"),
        (b"[{}, {}]", "not_an_envelope"),
        (brackets.as_bytes(), "not_an_envelope"),
        (br#"{"_meta": {}}"#, "not_an_envelope"),
        (br#"{"payload": {}}"#, "not_an_envelope"),
        (twice.as_bytes(), "not_an_envelope"),
        (br#"{"payload": [1], "_meta": {}}"#, "bad_payload"),
        (nested.as_bytes(), "bad_payload"),
        (bad_uuid.as_bytes(), "bad_payload"),
        (bad_role.as_bytes(), "bad_payload"),
        (huge.as_bytes(), "too_large"),
    ];
    for (body, kind) in cases {
        let refusal = refusal(key, body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!(refusal.kind, kind, "{shown}: {}", refusal.reason);
        assert!(!refusal.reason.is_empty());
    }
    assert_eq!(
        refusal(
            key,
            br#"{"payload": {}, "_meta": {"routing_key": "student.created"}}"#
        )
        .kind,
        "wrong_key"
    );
    assert_eq!(
        refusal(key, br#"{"payload": {}, "_meta": {"schema_version": 2}}"#).kind,
        "schema_version"
    );
    assert_eq!(
        refusal(
            key,
            br#"{"payload": {}, "_meta": {"aggregate_version": 0}}"#
        )
        .kind,
        "bad_version"
    );
}

#[test]
fn a_payload_over_the_limit_is_refused_before_it_is_published() {
    let mut event = UserCreated::sample();
    let spare = MAX_PAYLOAD_BYTES - serde_json::to_string(&event).unwrap().len();
    event.first_name += &"x".repeat(spare);
    assert!(envelope::encode(&meta(), &event).is_ok());
    event.first_name.push('x');
    let error = envelope::encode(&meta(), &event).unwrap_err();
    assert_eq!(error.bytes, MAX_PAYLOAD_BYTES + 1);
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

fn meta() -> Meta {
    let body = EVENTS[0].sample();
    Envelope::decode(&raw(EVENTS[0].key, body.as_bytes()))
        .unwrap()
        .meta
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200), key in ".{0,30}") {
        catalogue::validate(&raw(&key, &body));
    }

    #[test]
    fn a_damaged_event_is_read_or_refused(
        which in 0..EVENTS.len(), at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
    ) {
        let mut body = EVENTS[which].sample().into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        if cut { body.truncate(at); }
        catalogue::validate(&raw(EVENTS[which].key, &body));
    }

    #[test]
    fn an_event_is_read_as_it_was_written(first in ".{0,40}", last in ".{0,40}", phone in proptest::option::of(".{0,20}")) {
        let written = UserCreated { first_name: first, last_name: last, phone, ..UserCreated::sample() };
        let meta = meta();
        let body = envelope::encode(&meta, &written).unwrap();
        let raw = raw(UserCreated::KEY, body.as_bytes());
        let envelope = Envelope::decode(&raw).unwrap();
        prop_assert_eq!(envelope.payload::<UserCreated>().unwrap(), written);
        prop_assert_eq!(envelope.meta, meta);
    }

    #[test]
    fn unknown_fields_change_nothing(name in "[a-z]{12}", value in "[a-z0-9 ]{0,20}") {
        let mut message: serde_json::Value = serde_json::from_str(&EVENTS[0].sample()).unwrap();
        message["payload"][&name] = value.clone().into();
        message["_meta"][&name] = value.into();
        let body = message.to_string();
        let raw = raw(EVENTS[0].key, body.as_bytes());
        let envelope = Envelope::decode(&raw).unwrap();
        prop_assert_eq!(envelope.payload::<UserCreated>().unwrap(), UserCreated::sample());
        prop_assert_eq!(envelope.meta, meta());
    }
}
