//! The gate: a change of an event that an old reader or an old publisher could not survive fails here.
//!
//! `tests/baseline/<key>@<schema version>.json` holds what the event was when it was last accepted on purpose.

use events::{
    catalogue::{EVENTS, Entry},
    documents,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shape(entry: &Entry) -> Value {
    json!({"written": entry.schema(), "needed": entry.needed()})
}

/// A field's type and all that narrows it; words about it are free.
fn kind(field: &Value) -> Value {
    let mut field = field.clone();
    strip(&mut field);
    field
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for word in ["description", "title", "default", "examples"] {
                fields.remove(word);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn required(schema: &Value) -> BTreeSet<String> {
    schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// What of a change somebody could not survive: the field, and why.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let (before, after) = (&old["written"]["properties"], &new["written"]["properties"]);
    for (name, field) in before.as_object().into_iter().flatten() {
        match after.get(name) {
            None => broken.push(format!("{name} was removed: old readers look for it")),
            Some(now) if kind(now) != kind(field) => {
                broken.push(format!("{name} is of another type: old readers cannot read it"));
            }
            Some(_) => {}
        }
    }
    for name in required(&old["written"]).difference(&required(&new["written"])) {
        broken.push(format!("{name} may now be missing: old readers may need it"));
    }
    for name in required(&new["needed"]).difference(&required(&old["needed"])) {
        broken.push(format!("{name} is now needed: old publishers and queued messages do not have it"));
    }
    broken
}

#[test]
fn no_event_has_changed_so_that_others_break() {
    for entry in &EVENTS {
        let path = root().join(format!("tests/baseline/{}@{}.json", entry.key, entry.schema_version));
        let Ok(text) = fs::read_to_string(&path) else {
            panic!(
                "{} is new in version {}; accept it as it is now: save this as {}\n{:#}",
                entry.key,
                entry.schema_version,
                path.display(),
                shape(entry)
            );
        };
        let broken = breaks(&serde_json::from_str(&text).unwrap(), &shape(entry));
        assert!(
            broken.is_empty(),
            "{}: {}\nAdd fields as Option or with #[serde(default)], and remove none; or raise SCHEMA_VERSION, keep the \
             old shape readable, and accept the new one under tests/baseline/.",
            entry.key,
            broken.join("; ")
        );
    }
}

#[test]
fn the_generated_documents_are_current() {
    let docs = root().join("../../docs");
    for (path, text) in documents::all() {
        let written = fs::read_to_string(docs.join(&path)).unwrap_or_default();
        assert!(written == text, "docs/{path} is stale; try: ./medtrack prepare");
    }
}

#[test]
fn the_gate_opens_for_what_is_harmless_and_closes_for_what_is_not() {
    let shape = |properties: Value, written: Value, needed: Value| json!({"written": {"properties": properties, "required": written}, "needed": {"required": needed}});
    let id = json!({"type": "string", "format": "uuid"});
    let old = shape(json!({"id": id, "name": {"type": "string"}}), json!(["id", "name"]), json!(["id"]));
    let described = json!({"type": "string", "description": "new words"});
    for (change, new) in [
        ("a description", shape(json!({"id": id, "name": described}), json!(["id", "name"]), json!(["id"]))),
        (
            "an optional field",
            shape(
                json!({"id": id, "name": {"type": "string"}, "more": {"type": ["string", "null"]}}),
                json!(["id", "name", "more"]),
                json!(["id"]),
            ),
        ),
        (
            "a field less needed",
            shape(json!({"id": id, "name": {"type": "string"}}), json!(["id", "name"]), json!([])),
        ),
    ] {
        assert_eq!(breaks(&old, &new), Vec::<String>::new(), "{change}");
    }
    for (word, new) in [
        ("removed", shape(json!({"id": id}), json!(["id"]), json!(["id"]))),
        (
            "another type",
            shape(json!({"id": id, "name": {"type": "integer"}}), json!(["id", "name"]), json!(["id"])),
        ),
        (
            "another type",
            shape(
                json!({"id": id, "name": {"type": ["string", "null"]}}),
                json!(["id", "name"]),
                json!(["id"]),
            ),
        ),
        (
            "another type",
            shape(
                json!({"id": id, "name": {"type": "string", "enum": ["a"]}}),
                json!(["id", "name"]),
                json!(["id"]),
            ),
        ),
        (
            "may now be missing",
            shape(json!({"id": id, "name": {"type": "string"}}), json!(["id"]), json!(["id"])),
        ),
        (
            "now needed",
            shape(
                json!({"id": id, "name": {"type": "string"}}),
                json!(["id", "name"]),
                json!(["id", "name"]),
            ),
        ),
    ] {
        let broken = breaks(&old, &new);
        assert!(broken.iter().any(|broken| broken.contains(word)), "{word}: {broken:?}");
    }
}
