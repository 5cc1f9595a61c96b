//! The documents about events, for people and for programs. `./medtrack prepare` writes them from the catalogue into
//! `docs/`.

use crate::{
    Meta,
    catalogue::{self, EVENTS, Entry},
    key,
    topology::{EXCHANGE, SERVICES, queues},
};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt::Write as _};

/// Returns every generated file by its path under `docs/`.
pub fn all() -> BTreeMap<String, String> {
    let pretty = |value: &Value| format!("{value:#}\n");
    let mut files = BTreeMap::from([
        ("EVENTS.md".to_owned(), events_md()),
        ("asyncapi.json".to_owned(), pretty(&asyncapi())),
    ]);
    for entry in &EVENTS {
        files.insert(
            format!("schemas/{}.json", entry.key),
            pretty(&contract(entry)),
        );
    }
    files
}

/// Whether another system publishes the event.
fn is_foreign(entry: &Entry) -> bool {
    SERVICES
        .iter()
        .all(|service| service.name != entry.producer)
}

/// Returns the schema that the publisher keeps: one of ours gives every field, another system what readers need.
fn contract(entry: &Entry) -> Value {
    match is_foreign(entry) {
        true => entry.needed(),
        false => entry.schema(),
    }
}

/// Returns the queues that receive an event.
fn consumers(entry: &Entry) -> Vec<&'static str> {
    let wants = |patterns: &[&str]| {
        patterns
            .iter()
            .any(|pattern| key::matches(pattern, entry.key))
    };
    queues()
        .filter(|queue| wants(queue.patterns))
        .map(|queue| queue.name)
        .collect()
}

fn events_md() -> String {
    let mut text = String::from(
        "# Events\n\nGenerated from `crates/events` by `./medtrack prepare`; do not edit.\n\nEvery event goes to the topic \
         exchange `events.topic` as `{\"payload\": {…}, \"_meta\": {…}}`. Readers ignore unknown fields.\n\n\
         | event | published by | received by |\n|---|---|---|\n",
    );
    for entry in &EVENTS {
        let anchor = entry.key.replace('.', "");
        let receivers = match entry.is_for_others {
            true => "other systems".to_owned(),
            false => format!("`{}`", consumers(entry).join("`, `")),
        };
        let _ = writeln!(
            text,
            "| [`{}`](#{anchor}) | {} | {receivers} |",
            entry.key, entry.producer
        );
    }
    for entry in &EVENTS {
        let schema = contract(entry);
        let about = schema["description"].as_str().unwrap_or_default();
        let _ = write!(text, "\n## {}\n\n{about}\n\n", entry.key);
        fields(&mut text, &schema);
        let sample: Value = serde_json::from_str(&entry.sample()).unwrap_or_default();
        let _ = write!(text, "\n```json\n{sample:#}\n```\n");
    }
    text += "\n## _meta\n\nWhat MedTrack's services write. Of another system's message nothing in it is required, but `_meta` itself.\n\n";
    fields(&mut text, &meta());
    text
}

/// Writes the table of an object's fields.
fn fields(text: &mut String, schema: &Value) {
    *text += "| field | type | required | |\n|---|---|---|---|\n";
    let required = schema["required"].as_array();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let about = field["description"]
            .as_str()
            .unwrap_or_default()
            .replace('\n', " ");
        let is_required = required.is_some_and(|names| names.iter().any(|other| other == name));
        let required = if is_required { "yes" } else { "no" };
        let _ = writeln!(
            text,
            "| `{name}` | {} | {required} | {about} |",
            type_of(field)
        );
    }
}

/// Returns a field's type for a person: `uuid`, `text or null`, `list of text`.
pub fn type_of(field: &Value) -> String {
    let word = |kind: &str| match (kind, field["format"].as_str()) {
        ("string", Some(format)) => format.to_owned(),
        ("string", None) => "text".to_owned(),
        ("array", _) => format!("list of {}", type_of(&field["items"])),
        (kind, _) => kind.to_owned(),
    };
    match &field["type"] {
        Value::String(kind) => word(kind),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .map(word)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => {
            let choices = field["anyOf"]
                .as_array()
                .or(field["oneOf"].as_array())
                .into_iter()
                .flatten();
            let choices = choices.map(|choice| match choice["const"].as_str() {
                Some(word) => format!("`{word}`"),
                None => type_of(choice),
            });
            choices.collect::<Vec<_>>().join(" or ")
        }
    }
}

fn meta() -> Value {
    catalogue::schema::<Meta>(SchemaSettings::draft2020_12().for_serialize())
}

/// Returns `_meta` as another system may send it: each part that is there has the right type, and none is required.
fn foreign_meta() -> Value {
    let mut meta = meta();
    meta["title"] = json!("ForeignMeta");
    if let Some(meta) = meta.as_object_mut() {
        meta.remove("required");
    }
    meta
}

/// AsyncAPI 3.0: a channel for each routing key; our services publish to some channels and receive from others.
fn asyncapi() -> Value {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for entry in &EVENTS {
        let id = entry.key.replace('.', "_");
        let sample: Value = serde_json::from_str(&entry.sample()).unwrap_or_default();
        let meta = match is_foreign(entry) {
            true => "#/components/schemas/ForeignMeta",
            false => "#/components/schemas/Meta",
        };
        messages.insert(
            id.clone(),
            json!({
                "name": entry.key,
                "title": entry.schema()["title"],
                "summary": entry.schema()["description"],
                "contentType": "application/json",
                "payload": {"type": "object", "required": ["payload", "_meta"],
                            "properties": {"payload": contract(entry), "_meta": {"$ref": meta}}},
                "examples": [{"name": "sample", "payload": sample}],
            }),
        );
        channels.insert(
            id.clone(),
            json!({
                "address": entry.key,
                "messages": {&id: {"$ref": format!("#/components/messages/{id}")}},
                "bindings": {"amqp": {"is": "routingKey", "exchange": {"name": EXCHANGE, "type": "topic", "durable": true}}},
            }),
        );
        let channel = json!({"$ref": format!("#/channels/{id}")});
        let service = |name: &str| json!([{"name": name}]);
        operations.insert(
            format!("{}_publishes_{id}", entry.producer),
            json!({"action": "send", "channel": channel, "tags": service(entry.producer)}),
        );
        for queue in consumers(entry) {
            operations.insert(
                format!("{queue}_receives_{id}"),
                json!({"action": "receive", "channel": channel, "tags": service(queue)}),
            );
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {"title": "MedTrack events", "version": env!("CARGO_PKG_VERSION"),
                 "description": "Generated from crates/events by ./medtrack prepare; do not edit."},
        "servers": {"rabbitmq": {
            "host": "rabbitmq:5672", "pathname": "/%2f", "protocol": "amqp", "protocolVersion": "0-9-1",
            "description": "The virtual host is `/`. The name `rabbitmq` is that of the network of the containers, where \
                            nothing is encrypted. A publisher outside of that network needs a TLS proxy or a tunnel.",
        }},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {"Meta": meta(), "ForeignMeta": foreign_meta()}},
    })
}
