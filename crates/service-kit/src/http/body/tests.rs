//! A response reports every wrong field of a body.

use super::*;

crate::body! {
    struct Person {
        name: String = "Ada",
        nickname: Option<String> = "ada",
        motto: Patch<String> = "Go on",
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

crate::body! {
    struct Ward {
        name: RequiredText<5> = "A1",
        floor: Option<OptionalNumber<-1, 9>> = 2,
        beds: Patch<OptionalNumber<0, 50>> = 12,
        extra: Patch<JsonObject<40>> = {"doors": [1, 2]},
        open: Patch<bool> = true,
        building: Patch<OptionalId> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
    }
}

fn ward(body: &Value) -> Result<Ward, Value> {
    let object = parse(body.to_string().as_bytes()).expect("it is an object");
    let ward = object.into_body().map_err(Problem::into_errors);
    ward.map_err(|errors| json!(errors))
}

#[test]
fn numbers_objects_and_booleans_are_read_within_their_limits() {
    let full = json!({"name": " A1 ", "floor": -1, "beds": 50.0, "extra": {"doors": [1, 2]}, "open": false});
    let full = ward(&full).expect("it is valid");
    assert_eq!((full.name.0.as_str(), full.open.0), ("A1", Some(false)));
    assert_eq!(full.floor.and_then(|floor| floor.0), Some(-1));
    assert_eq!(full.beds.0.map(|beds| beds.0), Some(Some(50)));
    assert_eq!(
        full.extra.0.map(|extra| json!(extra.0)),
        Some(json!({"doors": [1, 2]}))
    );
    assert!(full.building.0.is_none());

    let bad =
        json!({"name": " ", "floor": 10, "beds": 0.5, "extra": [], "open": "yes", "building": "x"});
    assert_eq!(
        ward(&bad).expect_err("everything is wrong"),
        json!({
            "name": ["This field must not be empty."],
            "floor": ["Must be a number from -1 to 9."],
            "beds": ["Must be a number from 0 to 50."],
            "extra": ["Must be a JSON object."],
            "open": ["Must be true or false."],
            "building": ["Must be a UUID."],
        })
    );
    let large = json!({"name": "ABCDEF", "beds": 51, "extra": {"a": "x".repeat(40)}});
    assert_eq!(
        ward(&large).expect_err("it is too much"),
        json!({
            "name": ["Use at most 5 characters."],
            "beds": ["Must be a number from 0 to 50."],
            "extra": ["Use at most 40 bytes."],
        })
    );
    let nul = json!({"name": "A", "extra": {"a": [{"b\0": 1}]}});
    assert_eq!(
        ward(&nul).expect_err("it has a NUL"),
        json!({"extra": ["Must not contain a NUL character."]})
    );
}

#[test]
fn null_and_an_empty_text_clear_what_may_be_cleared() {
    let cleared = json!({"name": "A", "floor": null, "beds": "", "extra": null, "building": ""});
    let cleared = ward(&cleared).expect("it is valid");
    assert!(cleared.floor.is_none());
    assert!(matches!(cleared.beds, Patch(Some(OptionalNumber(None)))));
    assert!(matches!(cleared.building, Patch(Some(OptionalId(None)))));
    assert!(cleared.extra.0.is_some_and(|extra| extra.0.is_empty()));
    let errors = ward(&json!({"name": "A", "open": null})).expect_err("it is one or the other");
    assert_eq!(errors, json!({"open": ["Must be true or false."]}));
}
