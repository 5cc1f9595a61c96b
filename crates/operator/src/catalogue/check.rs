//! Checks a message offline, field by field, with the readers of the consumers.

use crate::edit_distance::distance;
use events::{
    RawMessage,
    catalogue::{self, Entry, Validation},
    topology::EXCHANGE,
};
use serde_json::Value;

/// Returns everything that is wrong with a payload: each with its field.
pub(crate) fn payload(entry: &Entry, payload: &Value) -> Vec<String> {
    let Some(given) = payload.as_object() else {
        return vec!["payload: must be a JSON object".to_owned()];
    };
    let schema = entry.needed();
    let mut problems: Vec<String> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|name| !given.contains_key(*name))
        .map(|name| match near(given.keys().map(String::as_str), name) {
            Some(given) => format!("field {name}: missing; is it {given}?"),
            None => format!("field {name}: missing"),
        })
        .collect();
    let Ok(sample) = serde_json::from_str::<Value>(&entry.sample()) else {
        return problems;
    };
    // The reader stops at the first field that it cannot read, so each is tried alone in a sample that is valid.
    for (name, value) in given {
        let mut message = sample.clone();
        message["payload"][name] = value.clone();
        if let Some(reason) = refusal(entry.key, &message) {
            let prefix = format!("field {name}: ");
            let reason = reason.strip_prefix(&prefix).unwrap_or(&reason);
            problems.push(format!("{prefix}{reason}"));
        }
    }
    problems
}

/// Returns everything that is wrong with a whole message.
pub(crate) fn message(entry: &Entry, message: &Value) -> Vec<String> {
    if !message.is_object() {
        return vec!["the message is not a JSON object".to_owned()];
    }
    let mut problems = Vec::new();
    for name in ["payload", "_meta"] {
        if message.get(name).is_none() {
            problems.push(format!("{name}: missing"));
        }
    }
    if let Some(given) = message.get("payload") {
        problems.extend(payload(entry, given));
    }
    let Ok(sample) = serde_json::from_str::<Value>(&entry.sample()) else {
        return problems;
    };
    match message.get("_meta") {
        None => {}
        Some(Value::Object(meta)) => {
            for (name, value) in meta {
                let mut alone = sample.clone();
                alone["_meta"] = serde_json::json!({ name: value });
                if let Some(reason) = refusal(entry.key, &alone) {
                    problems.push(format!("field _meta.{name}: {reason}"));
                }
            }
        }
        Some(_) => problems.push("_meta: must be a JSON object".to_owned()),
    }
    if problems.is_empty() {
        problems.extend(refusal(entry.key, message));
    }
    problems
}

/// Returns why the consumers refuse a message.
fn refusal(routing_key: &str, message: &Value) -> Option<String> {
    let body = message.to_string();
    let raw = RawMessage {
        exchange: EXCHANGE,
        routing_key,
        message_id: None,
        app_id: None,
        body: body.as_bytes(),
    };
    match catalogue::validate(&raw) {
        Validation::Refused(refusal) => Some(refusal.reason),
        _ => None,
    }
}

/// Returns the name that is nearest to a wrong one, if any is near: other letter case, an underscore, one typing error.
pub(crate) fn near<'a>(names: impl Iterator<Item = &'a str>, wrong: &str) -> Option<&'a str> {
    const LIMIT: usize = 2;
    let plain =
        |name: &str| -> Vec<char> { name.replace('_', "").to_lowercase().chars().collect() };
    let wrong = plain(wrong);
    names
        .filter_map(|name| Some((distance(&plain(name), &wrong, LIMIT)?, name)))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_error_is_told_at_once_by_its_field() {
        let entry = |key| catalogue::EVENTS.iter().find(|entry| entry.key == key);
        let entry = entry("evaluation.created").unwrap();
        let mut body: Value = serde_json::from_str(&entry.sample()).unwrap();
        assert_eq!(message(entry, &body), Vec::<String>::new());
        body["payload"] = json!({"evaluation_id": "1", "studentId": "x", "score": 500});
        body["_meta"]["timestamp"] = json!("yesterday");
        body["_meta"]["aggregate_version"] = json!(0);
        let problems = message(entry, &body);
        for start in [
            "field evaluation_id: must be a UUID",
            "field stage_id: missing",
            "field student_id: missing; is it studentId?",
            "field score: must be from 0 to 100",
            "field _meta.timestamp: ",
            "field _meta.aggregate_version: ",
        ] {
            let matching = problems.iter().filter(|problem| problem.starts_with(start));
            assert_eq!(matching.count(), 1, "{start}: {problems:?}");
        }
        assert_eq!(problems.len(), 6, "{problems:?}");
        assert_eq!(
            message(entry, &json!({})),
            ["payload: missing", "_meta: missing"]
        );
    }

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        let names = || ["stage_id", "student_id", "start_date"].into_iter();
        assert_eq!(near(names(), "studentId"), Some("student_id"));
        assert_eq!(near(names(), "strat_date"), Some("start_date"));
        assert_eq!(near(names(), "colour"), None);
    }
}
