//! The contract, as tests: every version of every event stays readable, and a malformed message is refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use events::{
    Envelope, Event, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES, Meta, RawMessage, Role,
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
        assert_eq!(
            topology::is_routed(entry.key),
            !entry.is_for_others,
            "a queue receives {}, or it is for other systems",
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

#[test]
fn a_number_out_of_the_bounds_that_the_schema_states_is_refused_by_its_field() {
    let bounded = [
        ("evaluation.created", "score"),
        ("evaluation.updated", "score"),
        ("grade.assigned", "final_grade"),
    ];
    for (key, field) in bounded {
        let entry = EVENTS.iter().find(|entry| entry.key == key).unwrap();
        let schema = &entry.needed()["properties"][field];
        let bound = |name: &str| schema[name].as_f64().expect("the schema states it");
        let (least, most) = (bound("minimum"), bound("maximum"));
        let check = |value: serde_json::Value| {
            let mut body: serde_json::Value = serde_json::from_str(&entry.sample()).unwrap();
            body["payload"][field] = value;
            let body = body.to_string();
            catalogue::validate(&raw(key, body.as_bytes()))
        };
        for good in [least, most, most - 0.5] {
            for value in [good.into(), good.to_string().into()] {
                let validation = check(value);
                assert!(
                    matches!(validation, Validation::Accepted(_)),
                    "{key} {good}: {validation:?}"
                );
            }
        }
        let beyond = [least - 0.1, most + 0.1, 500.0];
        let beyond = beyond
            .into_iter()
            .flat_map(|bad| [bad.into(), bad.to_string().into()]);
        for bad in beyond.chain(["NaN".into(), "much".into(), true.into()]) {
            let Validation::Refused(refusal) = check(bad) else {
                panic!("{key} is accepted");
            };
            assert_eq!(refusal.kind, "bad_payload");
            assert!(
                refusal.reason.contains(&format!("field {field}: must be")),
                "{}",
                refusal.reason
            );
        }
    }
}
