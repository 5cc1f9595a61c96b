//! Refuses a change of an event that an old reader or an old publisher cannot survive.
//!
//! `tests/baseline/<key>@<schema version>.json` contains the shape that was accepted last. `./medtrack prepare` renews
//! it for a compatible change, and refuses any other.

use crate::catalogue::Entry;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The keywords of a schema that only describe a field; they may change.
const DESCRIPTIONS: [&str; 4] = ["description", "title", "default", "examples"];

/// An incompatible change.
#[derive(Debug, thiserror::Error)]
#[error(
    "{key}: {}\nAdd fields as Option or with #[serde(default)], and remove none; or raise SCHEMA_VERSION and keep the \
     old shape readable.",
    reasons.join("; ")
)]
pub struct Broken {
    key: &'static str,
    reasons: Vec<String>,
}

/// Returns the new text of an event's baseline; `accepted` is the present one.
///
/// # Errors
/// When the accepted shape and the present shape are incompatible.
pub fn baseline(entry: &Entry, accepted: Option<&str>) -> Result<String, Broken> {
    let now = json!({"written": entry.schema(), "needed": entry.needed()});
    let reasons = match accepted.map(serde_json::from_str) {
        None => Vec::new(),
        Some(Ok(accepted)) => breaks(&accepted, &now),
        Some(Err(error)) => vec![format!("its baseline is not JSON: {error}")],
    };
    match reasons.is_empty() {
        true => Ok(format!("{now:#}\n")),
        false => Err(Broken {
            key: entry.key,
            reasons,
        }),
    }
}

/// Returns the incompatible differences: each with its field, and why.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, was) in properties(&old["written"]) {
        match new["written"]["properties"].get(name) {
            None => broken.push(format!("{name} was removed: old readers look for it")),
            Some(is) if kind(is) != kind(was) => {
                broken.push(format!(
                    "{name} is of another type: old readers cannot read it"
                ));
            }
            Some(_) => {}
        }
    }
    for (name, was) in properties(&old["needed"]) {
        if new["needed"]["properties"]
            .get(name)
            .is_some_and(|is| !takes(is, was))
        {
            broken.push(format!(
                "{name} is read as another type: old publishers write it as before"
            ));
        }
    }
    for name in required(&old["written"]).difference(&required(&new["written"])) {
        broken.push(format!(
            "{name} may now be missing: old readers may need it"
        ));
    }
    for name in required(&new["needed"]).difference(&required(&old["needed"])) {
        broken.push(format!(
            "{name} is now needed: old publishers and queued messages do not have it"
        ));
    }
    broken
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn required(schema: &Value) -> BTreeSet<&str> {
    schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Whether a reader of `is` accepts all that fits `was`: the same type, or more of the plain types.
fn takes(is: &Value, was: &Value) -> bool {
    let (mut is, mut was) = (kind(is), kind(was));
    let types = |schema: &mut Value| -> BTreeSet<String> {
        let types = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("type"))
            .unwrap_or_default();
        let types = if types.is_array() {
            types
        } else {
            json!([types])
        };
        types
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    types(&mut is).is_superset(&types(&mut was)) && is == was
}

/// Returns a field's type and all that narrows it, without descriptions.
fn kind(field: &Value) -> Value {
    let mut field = field.clone();
    remove_descriptions(&mut field);
    field
}

fn remove_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            keywords.retain(|keyword, _| !DESCRIPTIONS.contains(&keyword.as_str()));
            for (keyword, value) in keywords {
                match (keyword.as_str(), value) {
                    // These names are fields, and may equal a keyword.
                    ("properties" | "patternProperties", Value::Object(fields)) => {
                        fields.values_mut().for_each(remove_descriptions);
                    }
                    ("const" | "enum", _) => {}
                    (_, value) => remove_descriptions(value),
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(remove_descriptions),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(written: Value, read: Value) -> Value {
        let schema = |fields: Value| {
            let needed = fields.as_object().into_iter().flatten();
            let needed: Vec<_> = needed
                .filter(|(_, field)| field["optional"].is_null())
                .map(|(name, _)| name)
                .collect();
            json!({"properties": fields, "required": needed})
        };
        json!({"written": schema(written), "needed": schema(read)})
    }

    fn old() -> Value {
        let place = json!({"type": "object", "properties": {"title": {"type": "string"}}});
        shape(
            json!({"id": {"type": "string", "format": "uuid"}, "name": {"type": "string"}, "place": place}),
            json!({"id": {"type": "string", "format": "uuid"}, "name": {"type": "string", "optional": true}}),
        )
    }

    fn changed(pointer: &str, value: Value) -> Value {
        let mut new = old();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = new.pointer_mut(parent).unwrap();
        if value.is_null() {
            parent.as_object_mut().unwrap().remove(name);
        } else {
            parent[name] = value;
        }
        new
    }

    #[test]
    fn compatible_changes_are_accepted() {
        for (change, new) in [
            ("nothing", old()),
            (
                "words",
                changed("/written/properties/name/description", json!("the name")),
            ),
            (
                "one more field",
                changed(
                    "/written/properties/more",
                    json!({"type": ["string", "null"]}),
                ),
            ),
            (
                "one required field less",
                changed("/needed/required", json!([])),
            ),
            (
                "a field no longer read",
                changed("/needed/properties/name", Value::Null),
            ),
            (
                "a reader that accepts more",
                changed("/needed/properties/id/type", json!(["string", "null"])),
            ),
        ] {
            assert_eq!(breaks(&old(), &new), Vec::<String>::new(), "{change}");
        }
    }

    #[test]
    fn incompatible_changes_are_refused() {
        for (reason, new) in [
            (
                "name was removed",
                changed("/written/properties/name", Value::Null),
            ),
            (
                "name is of another type",
                changed("/written/properties/name/type", json!("integer")),
            ),
            (
                "name is of another type",
                changed("/written/properties/name/type", json!(["string", "null"])),
            ),
            (
                "name is of another type",
                changed("/written/properties/name/enum", json!(["a"])),
            ),
            (
                "place is of another type",
                changed(
                    "/written/properties/place/properties/title/type",
                    json!("integer"),
                ),
            ),
            (
                "place is of another type",
                changed("/written/properties/place/properties/title", Value::Null),
            ),
            (
                "name may now be missing",
                changed("/written/required", json!(["id", "place"])),
            ),
            (
                "name is now needed",
                changed("/needed/required", json!(["id", "name"])),
            ),
            (
                "id is read as another type",
                changed("/needed/properties/id/format", json!("email")),
            ),
            (
                "id is read as another type",
                changed("/needed/properties/id/type", json!("integer")),
            ),
        ] {
            let broken = breaks(&old(), &new);
            assert!(
                broken.iter().any(|broken| broken.starts_with(reason)),
                "{reason}: {broken:?}"
            );
        }
    }

    #[test]
    fn a_new_event_is_accepted_and_a_broken_baseline_is_refused() {
        let entry = &crate::catalogue::EVENTS[0];
        let fresh = baseline(entry, None).unwrap();
        assert_eq!(baseline(entry, Some(&fresh)).unwrap(), fresh);
        let message = baseline(entry, Some("{")).unwrap_err().to_string();
        assert!(
            message.starts_with(entry.key) && message.contains("SCHEMA_VERSION"),
            "{message}"
        );
    }
}
