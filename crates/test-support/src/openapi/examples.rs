//! Holds the examples of a document to its schemas, and to what the service answers.

use crate::{Client, User};
use reqwest::Method;
use serde_json::{Map, Value};

/// Each body, each response with JSON and each problem has an example, which fits its schema. A page that the user may
/// read has the fields of its example.
///
/// # Panics
/// When one does not.
pub(super) async fn assert_examples(client: &Client, user: &User, document: &Value) {
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let body = operation.pointer("/requestBody/content/application~1json");
            if let Some(body) = body {
                assert_fits(document, &body["schema"], &body["example"], path);
            }
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let place = format!("{method} {path}: {status}");
                if let Some(json) = response.pointer("/content/application~1json") {
                    assert_fits(document, &json["schema"], &json["example"], &place);
                }
                assert_problems(document, response, &place);
            }
            let answer = operation.pointer("/responses/200/content/application~1json/example");
            if let (Some(example), "get", false) = (answer, method.as_str(), path.contains('{')) {
                let response = client
                    .ask(Method::GET, path, Some(&user.token), None)
                    .await
                    .expect("an answer");
                assert_same_fields(example, &response.body, path, response.status);
            }
        }
    }
}

/// The problems of a response: an example for each code that the schema names.
fn assert_problems(document: &Value, response: &Value, place: &str) {
    let Some(content) = response.pointer("/content/application~1problem+json") else {
        return;
    };
    let codes = content.pointer("/schema/allOf/1/properties/code/enum");
    let codes = codes.and_then(Value::as_array).expect("codes").iter();
    let problem = document.pointer("/components/schemas/Problem");
    let problem = problem.expect("the schema of problems");
    for code in codes.map(|code| code.as_str().expect("a text")) {
        let example = &content["examples"][code]["value"];
        assert_eq!(example["code"], code, "{place}");
        assert_fits(document, problem, example, place);
    }
}

/// An example that has what its schema requires, and nothing that its schema does not describe.
fn assert_fits(document: &Value, schema: &Value, example: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(name.trim_start_matches('#'));
        return assert_fits(document, schema.expect("it is there"), example, place);
    }
    if let Some(first) = schema["oneOf"].get(0) {
        return assert_fits(document, first, example, place);
    }
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(example), "{place}: {example} of {values:?}");
    }
    match example {
        Value::Object(fields) => {
            let no_properties = Map::new();
            let properties = schema["properties"].as_object().unwrap_or(&no_properties);
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().expect("a name");
                assert!(fields.contains_key(name), "{place}: {name} in {example}");
            }
            for (name, value) in fields.iter().filter(|_| !properties.is_empty()) {
                let property = properties.get(name);
                let property = property.unwrap_or_else(|| panic!("{place}: {name} is unknown"));
                assert_fits(document, property, value, &format!("{place}: {name}"));
            }
        }
        Value::Array(items) => {
            assert!(!items.is_empty(), "{place}: an item");
            for item in items {
                assert_fits(document, &schema["items"], item, place);
            }
        }
        Value::Null => assert!(
            schema["type"]
                .as_array()
                .is_some_and(|types| types.contains(&"null".into())),
            "{place}: no example"
        ),
        text => assert_ne!(text, "", "{place}: an empty example"),
    }
}

/// An object that is answered has no field that the example lacks.
fn assert_same_fields(example: &Value, response: &Value, path: &str, status: u16) {
    if let (200, Some(fields)) = (status, response.as_object()) {
        for name in fields.keys() {
            assert!(
                example[name] != Value::Null || response[name].is_null(),
                "{path}: {name}"
            );
        }
    }
}
