//! What is shown of a message: its shape, the fields of `_meta`, and a reason that quotes nothing.

use serde_json::{Value, json};

/// The fields of `_meta` that are shown with their values: they name no person.
const META: [&str; 11] = [
    "event_id",
    "timestamp",
    "routing_key",
    "source",
    "correlation_id",
    "causation_id",
    "aggregate_type",
    "aggregate_id",
    "aggregate_version",
    "schema_version",
    "traceparent",
];
/// The causes whose reasons are sentences of ours, without a part of the message.
const OURS: [&str; 12] = [
    "not_json",
    "empty",
    "too_large",
    "wrong_key",
    "bad_version",
    "schema_version",
    "no_time",
    "bad_time",
    "time_ahead",
    "waits",
    "unknown_key",
    "erased",
];

/// Returns the shape of a message: the values of `_meta`, and of the payload only the names of the fields.
pub(crate) fn message(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            mask_but_meta(&mut value);
            format!("{value:#}")
        }
        Err(_) if body.is_empty() => "No body.".into(),
        Err(_) => format!("{} bytes that are not JSON", body.len()),
    }
}

fn mask_but_meta(value: &mut Value) {
    let Value::Object(fields) = value else {
        return mask(value);
    };
    for (name, value) in fields {
        match value {
            Value::Object(meta) if name == "_meta" => {
                for (name, value) in meta {
                    let is_nested = value.is_object() || value.is_array();
                    if is_nested || !META.contains(&name.as_str()) {
                        mask(value);
                    }
                }
            }
            other => mask(other),
        }
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(mask),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null => {}
        other => *other = json!("…"),
    }
}

/// Returns the part of a reason that quotes nothing of the message.
pub(crate) fn reason(kind: &str, reason: &str) -> String {
    let names_a_field = reason.starts_with("field ") || reason.contains(": field ");
    let is_ours = OURS.contains(&kind) || kind.starts_with("foreign_");
    let is_of_a_publisher = ["bad_payload", "not_an_envelope"].contains(&kind);
    if is_ours || is_of_a_publisher && names_a_field {
        return reason.to_owned();
    }
    // What follows the colon may quote the message.
    match reason.split_once(':') {
        Some((cause, _)) => format!("{cause} …"),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_message_shows_its_shape_and_who_published_it() {
        let body = br#"{"payload": {"email": "a@b.org", "age": 3, "phone": null},
                        "_meta": {"source": "core-service", "timestamp": {"x": "c@d.org"}, "name": "Amina"}}"#;
        let shape = message(body);
        assert!(
            shape.contains("email") && shape.contains("core-service"),
            "{shape}"
        );
        for hidden in ["a@b.org", "3", "c@d.org", "Amina"] {
            assert!(!shape.contains(hidden), "{hidden}: {shape}");
        }
        assert_eq!(message(b"{nope"), "5 bytes that are not JSON");
        assert!(!message(br#"["a@b.org"]"#).contains("a@b.org"));
    }

    #[test]
    fn a_reason_that_names_a_field_is_whole_and_one_that_may_quote_is_cut() {
        let field = "field role: must be one of: student, encadrant";
        assert_eq!(reason("bad_payload", field), field);
        assert_eq!(
            reason("bad_payload", "the payload is not that of x: \"a@b.org\""),
            "the payload is not that of x …"
        );
        assert_eq!(
            reason("database", "the database refused: a@b.org"),
            "the database refused …"
        );
    }
}
