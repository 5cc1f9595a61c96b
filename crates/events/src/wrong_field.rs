//! Says which field makes a message unreadable, in words that its publisher understands, without the value of the field:
//! a value may name a person.

use serde::Deserialize;

/// Reads a JSON text that is known to be unreadable as `T`, and names the field: `student_id: missing`.
pub(crate) fn wrong_field<'a, T: Deserialize<'a>>(json: &'a str) -> String {
    let reader = &mut serde_json::Deserializer::from_str(json);
    match serde_path_to_error::deserialize::<_, T>(reader) {
        Ok(_) => "what follows the end of the object: unexpected".into(),
        Err(error) => words(&error.path().to_string(), &error.inner().to_string()),
    }
}

fn words(path: &str, message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or_default();
    let quoted = |start: &str| {
        let rest = message.strip_prefix(start)?;
        rest.split('`').next()
    };
    let within = |name: &str| match path {
        "." | "?" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    if let Some(name) = quoted("missing field `") {
        return format!("field {}: missing", within(name));
    }
    if let Some(name) = quoted("duplicate field `") {
        return format!("field {}: given twice", within(name));
    }
    format!("field {path}: {}", problem(message))
}

/// Says what is wrong with a value, and leaves out each part of the message that may quote the value.
fn problem(message: &str) -> String {
    let is_variant = message.starts_with("unknown variant");
    if let Some((_, expected)) = message.rsplit_once(", expected ") {
        return match expected.strip_prefix("one of ").unwrap_or(expected) {
            names if is_variant => format!("must be one of: {}", names.replace('`', "")),
            what => format!("must be {}", kind(what)),
        };
    }
    // In words of this crate, which quote nothing.
    if message.starts_with("must be ") {
        return message.to_owned();
    }
    if message.starts_with("UUID parsing failed") {
        return "must be a UUID".into();
    }
    let safe = message.split(['"', '`', ':']).next().unwrap_or_default();
    match safe.trim() {
        "" => "not readable".into(),
        text => text.to_owned(),
    }
}

/// The name of a type, for a person who does not know Rust.
fn kind(expected: &str) -> &str {
    match expected {
        "a string" | "a borrowed string" | "string" => "a text",
        "f32" | "f64" | "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "a formatted UUID string" | "UUID" => "a UUID",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::UserCreated, internships::EvaluationCreated};
    use serde_json::{Value, json};

    fn of(change: impl Fn(&mut Value)) -> String {
        let mut payload = json!({"user_id": "01a20942-4f9c-77ab-96e5-4bc61d4632b2", "email": "a@example.com",
                                 "role": "student", "first_name": "A", "last_name": "B"});
        change(&mut payload);
        wrong_field::<UserCreated>(&payload.to_string())
    }

    #[test]
    fn the_field_is_named_and_its_value_is_not() {
        let without = |payload: &mut Value| {
            payload.as_object_mut().unwrap().remove("email");
        };
        assert_eq!(of(without), "field email: missing");
        let role = of(|payload| payload["role"] = "secret".into());
        assert!(
            role.starts_with("field role: must be one of: ") && role.contains("student"),
            "{role}"
        );
        assert_eq!(
            of(|payload| payload["user_id"] = "secret".into()),
            "field user_id: must be a UUID"
        );
        assert_eq!(
            of(|payload| payload["email"] = 5.into()),
            "field email: must be a text"
        );
        let score = wrong_field::<EvaluationCreated>(r#"{"score": "secret"}"#);
        assert!(
            score.starts_with("field ") && !score.contains("secret"),
            "{score}"
        );
    }

    #[test]
    fn what_may_quote_a_value_is_left_out() {
        assert_eq!(
            words("a.b", "odd \"secret\" at line 1 column 2"),
            "field a.b: odd"
        );
        assert_eq!(words("a", "`secret`"), "field a: not readable");
    }
}
