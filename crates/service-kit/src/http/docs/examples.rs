//! Examples of requests and responses, made from the examples of the fields.

use serde_json::{Map, Value, json};

/// Gives each JSON body and each response with JSON an example, where the route has none of its own.
pub(super) fn add(document: &mut Value) {
    let schemas = document.clone();
    for operation in super::operations(document) {
        if let Some(content) = operation.pointer_mut("/requestBody/content") {
            add_to(content, &schemas);
        }
        let responses = operation["responses"].as_object_mut();
        for (_, response) in responses.into_iter().flatten() {
            if let Some(content) = response.get_mut("content") {
                add_to(content, &schemas);
            }
        }
    }
}

fn add_to(content: &mut Value, document: &Value) {
    if let Some(json) = content.get_mut("application/json")
        && json["example"].is_null()
    {
        json["example"] = of(&json["schema"], document);
    }
}

/// The example of a schema.
fn of(schema: &Value, document: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#'));
        return target.map_or(Value::Null, |schema| of(schema, document));
    }
    let own = [
        &schema["examples"][0],
        &schema["example"],
        &schema["enum"][0],
    ];
    if let Some(own) = own.into_iter().find(|value| !value.is_null()) {
        return own.clone();
    }
    if let Some(first) = schema["oneOf"].get(0) {
        return of(first, document);
    }
    let types = &schema["type"];
    match (
        types.as_str().or(types[0].as_str()),
        schema["format"].as_str(),
    ) {
        (Some("object"), _) => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let examples = properties.map(|(name, schema)| (name.clone(), of(schema, document)));
            Value::Object(examples.collect::<Map<_, _>>())
        }
        (Some("array"), _) => json!([of(&schema["items"], document)]),
        (Some("boolean"), _) => json!(true),
        (Some("integer"), _) => json!(1),
        (_, Some("uuid")) => json!("0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d"),
        (_, Some("date-time")) => json!("2026-01-15T09:30:00Z"),
        _ => Value::Null,
    }
}
