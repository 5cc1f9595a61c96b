//! A response reports every wrong field of a body.

use super::*;
use serde_json::json;

crate::body! {
    struct Person {
        name: String = "Ada",
        nickname: Option<String> = "ada",
        motto: Patch<String> = "Go on",
        active: Patch<bool> = "true",
    }
}

fn read(body: &str) -> Result<Person, FieldErrors> {
    let object = parse(body.as_bytes()).expect("it is an object");
    object.into_body().map_err(Problem::into_errors)
}

fn errors(body: &str) -> Value {
    json!(read(body).expect_err("something is wrong"))
}

#[test]
fn all_wrong_fields_are_reported_at_once() {
    assert_eq!(
        errors(r#"{"nickname": 1, "motto": "a\u0000b", "age": 3, "age": 4, "nickname": "b"}"#),
        json!({
            "age": ["This field stands here twice; send it once.",
                    "This field is not known here; leave it out."],
            "motto": ["Must not contain a NUL character."],
            "name": ["This field is required."],
            "nickname": ["This field stands here twice; send it once.", "Must be a text."],
        })
    );
    assert_eq!(
        errors(r#"{"name": null}"#),
        json!({"name": ["This field is required."]})
    );
    let long = format!(r#"{{"name": "x", "{}": 1}}"#, "y".repeat(100));
    let errors = errors(&long);
    assert_eq!(
        errors
            .as_object()
            .map(|map| map.keys().next().map(String::len)),
        Some(Some(64))
    );
}

#[test]
fn an_optional_field_may_be_null_and_a_change_tells_absent_from_null() {
    let person = read(r#"{"name": "Ada", "nickname": null}"#).expect("it is valid");
    assert_eq!((person.nickname, person.motto.0), (None, None));
    let person = read(r#"{"name": "Ada", "motto": null}"#).expect("it is valid");
    assert_eq!(
        (person.name.as_str(), person.motto.0.as_deref()),
        ("Ada", Some(""))
    );
}

#[test]
fn a_flag_is_true_or_false_and_never_null() {
    let person = read(r#"{"name": "Ada", "active": false}"#).expect("it is valid");
    assert_eq!(person.active.0, Some(false));
    let person = read(r#"{"name": "Ada"}"#).expect("it is valid");
    assert_eq!(person.active.0, None);
    for wrong in ["null", "1", r#""true""#] {
        let body = format!(r#"{{"name": "Ada", "active": {wrong}}}"#);
        assert_eq!(errors(&body), json!({"active": ["Must be true or false."]}));
    }
}
