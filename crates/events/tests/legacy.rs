//! The four shapes in which the Django services publish, byte for byte.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use events::{
    Envelope, Event, RawMessage, Role, StudentId,
    auth::{UserCreated, UserDeleted, UserUpdated},
    catalogue::EVENTS,
    internships::EvaluationCreated,
    legacy,
    profile::{EncadrantCreated, StudentCreated},
    topology,
};

const USER: &str = "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11";

fn read(routing_key: &'static str, body: &'static str) -> Envelope<'static> {
    let raw = RawMessage {
        exchange: "medtrack.events",
        routing_key,
        message_id: None,
        app_id: None,
        body: body.as_bytes(),
    };
    let envelope = legacy::decode(&raw).unwrap();
    assert_eq!(
        legacy::decode(&raw).unwrap().meta,
        envelope.meta,
        "a copy is the same event"
    );
    envelope
}

fn payload<E: Event>(envelope: &Envelope<'_>) -> E {
    assert_eq!(envelope.meta.routing_key, E::KEY);
    envelope.payload().unwrap()
}

#[test]
fn the_shape_of_the_original_document() {
    let envelope = read(
        "auth.user.created",
        r#"{"payload": {"user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11", "email": "a@b.org", "first_name": "A",
            "last_name": "B", "role": "student", "created_at": "2025-12-13T19:27:02Z"},
            "_meta": {"timestamp": "2025-12-13T19:27:02.415000Z", "routing_key": "auth.user.created",
                      "source": "auth-service"}}"#,
    );
    assert_eq!(payload::<UserCreated>(&envelope).user_id.to_string(), USER);
    assert_eq!(envelope.meta.source, "auth-service");
}

#[test]
fn fields_side_by_side_as_auth_service_wrote_them() {
    let envelope = read(
        "auth.user.created",
        r#"{"event_type": "USER_CREATED", "user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11", "email": "a@b.org",
            "role": "encadrant", "first_name": "A", "last_name": null,
            "_meta": {"timestamp": "2025-12-13T19:27:02.415000+00:00", "routing_key": "auth.user.created",
                      "source": "auth-service"}}"#,
    );
    let user: UserCreated = payload(&envelope);
    assert_eq!(
        (user.role, user.first_name.as_str(), user.last_name.as_str()),
        (Role::Encadrant, "A", "")
    );
    assert_eq!(
        envelope.meta.timestamp.to_rfc3339(),
        "2025-12-13T19:27:02.415+00:00"
    );
}

#[test]
fn payload_beside_service_as_profile_and_later_auth_service_write_it() {
    let envelope = read(
        "user.created",
        r#"{"event_type": "user.created", "payload": {"user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11",
            "email": "a@b.org", "role": "student", "first_name": "A", "last_name": "B"},
            "service": "auth-service", "timestamp": "2025-12-18T08:00:00.123456", "version": "1.0"}"#,
    );
    assert_eq!(payload::<UserCreated>(&envelope).email, "a@b.org");
    assert_eq!(envelope.meta.source, "auth-service");
    assert_eq!(
        envelope.meta.timestamp.to_rfc3339(),
        "2025-12-18T08:00:00.123456+00:00",
        "a time without zone is UTC"
    );

    let updated = read(
        "user.updated",
        r#"{"event_type": "user.updated", "payload": {"user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11",
            "email": "a@b.org", "changed_fields": ["phone"]}, "service": "auth-service",
            "timestamp": "2025-12-18T08:00:01", "version": "1.0"}"#,
    );
    let updated: UserUpdated = payload(&updated);
    assert_eq!(
        (updated.first_name, updated.phone, updated.changes),
        (None, None, vec!["phone".to_owned()])
    );

    let deleted = read(
        "user.deleted",
        r#"{"event_type": "user.deleted", "payload": {"user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11",
            "email": "a@b.org"}, "service": "auth-service", "timestamp": "2025-12-18T08:00:02", "version": "1.0"}"#,
    );
    assert_eq!(payload::<UserDeleted>(&deleted).user_id.to_string(), USER);

    let student = read(
        "student.created",
        r#"{"event_type": "student.created", "payload": {"student_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c12",
            "user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11", "cin": null, "email": "a@b.org", "first_name": "A",
            "last_name": "B", "created_at": "2025-12-18T08:00:00"},
            "service": "profile-service", "timestamp": "2025-12-18T08:00:00", "version": "1.0"}"#,
    );
    assert_eq!(payload::<StudentCreated>(&student).first_name, "A");

    let encadrant = read(
        "encadrant.created",
        r#"{"event_type": "encadrant.created", "payload": {"encadrant_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c12",
            "user_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c11", "email": "a@b.org", "first_name": "A",
            "last_name": "B", "phone": "1", "specialty": "Cardiology"},
            "service": "profile-service", "timestamp": "2025-12-18T08:00:00", "version": "1.0"}"#,
    );
    assert_eq!(
        payload::<EncadrantCreated>(&encadrant)
            .specialization
            .as_deref(),
        Some("Cardiology")
    );
}

#[test]
fn data_beside_source_as_core_and_eval_service_write_it() {
    let envelope = read(
        "evaluation.created",
        r#"{"event_id": "6f0f3c52-0f43-4e26-9c6e-2d7f6d8d2c55", "event_type": "evaluation.created",
            "timestamp": "2025-12-14T10:11:12.131415", "correlation_id": "7f0f3c52-0f43-4e26-9c6e-2d7f6d8d2c66",
            "source": "eval-service", "data": {"evaluation_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c13",
            "stage_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c14",
            "student_id": "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c12", "score": "85.50"}}"#,
    );
    let evaluation: EvaluationCreated = payload(&envelope);
    let student: StudentId = "0b0f3c52-0f43-4e26-9c6e-2d7f6d8d2c12".parse().unwrap();
    assert_eq!(
        (evaluation.student_id, evaluation.score),
        (student, Some(85.5))
    );
    assert_ne!(
        envelope.meta.event_id.to_string(),
        "6f0f3c52-0f43-4e26-9c6e-2d7f6d8d2c55",
        "such a publisher may use one id under two keys"
    );
    assert_eq!(
        envelope.meta.correlation_id.to_string(),
        "7f0f3c52-0f43-4e26-9c6e-2d7f6d8d2c66"
    );
    assert_eq!(envelope.meta.source, "eval-service");
}

#[test]
fn what_an_event_needs_must_be_there() {
    for (body, kind) in [
        ("", "empty"),
        ("[]", "not_an_envelope"),
        (r#"{"data": 1}"#, "bad_payload"),
        (
            r#"{"payload": {"email": "a@b.org", "role": "student"}, "service": "x"}"#,
            "bad_payload",
        ),
        (
            r#"{"payload": {"user_id": "42", "email": "a@b.org", "role": "student"}}"#,
            "bad_payload",
        ),
        (
            r#"{"payload": {}, "service": "x", "timestamp": 1765654022}"#,
            "bad_time",
        ),
    ] {
        let raw = RawMessage {
            exchange: "x",
            routing_key: "user.created",
            message_id: None,
            app_id: None,
            body: body.as_bytes(),
        };
        let refused = legacy::decode(&raw).and_then(|envelope| envelope.payload::<UserCreated>());
        assert_eq!(refused.unwrap_err().kind, kind, "{body}");
    }
}

#[test]
fn only_known_keys_are_bound() {
    let keys: Vec<_> = legacy::keys(&topology::PROFILE.queue).collect();
    let ours = EVENTS.iter().map(|entry| entry.key);
    let expected: Vec<_> = ours
        .filter(|key| key.starts_with("auth."))
        .chain(["user.created", "user.updated", "user.deleted"])
        .collect();
    assert_eq!(keys, expected);
    assert!(legacy::keys(&topology::COMM.queue).any(|key| key == "user.deleted"));
    assert!(
        legacy::keys(&topology::COMM.queue)
            .all(|key| !key.contains('*') && !key.starts_with("core."))
    );
}
