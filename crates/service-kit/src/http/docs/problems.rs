//! The responses of a route that refuse a request: a status each, with its codes, examples and headers.

use crate::http::{Common, ErrorCode, Kind, problem};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where a route names its own problems, until [`describe`] turns them into responses.
const PROBLEMS: &str = "x-problems";

/// What the gateway answers when the service does not (`deploy/routes.caddy`).
const SERVICE_AWAY: Kind = Kind {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "SERVICE_AWAY",
    detail: "The service behind this address does not answer at the moment.",
    hint: Some("Try again in a few seconds."),
};

/// The problems of a route beside those that follow from its parameters, for `extensions(("x-problems" = …))`.
pub fn problems(errors: &[&dyn ErrorCode]) -> Value {
    errors.iter().map(|error| described(error.kind())).collect()
}

fn described(kind: Kind) -> Value {
    json!({
        "status": kind.status.as_u16(),
        "code": kind.code,
        "example": problem::example(kind),
    })
}

/// Adds a response for each status of a problem, with the codes that it may have.
pub(super) fn describe(operation: &mut Value, schemas: &Value) {
    let own = operation
        .as_object_mut()
        .and_then(|operation| operation.remove(PROBLEMS));
    let common = problems(&common_problems(operation));
    let invalid = invalid_field(operation, schemas);
    let mut responses: BTreeMap<u64, BTreeMap<String, Value>> = BTreeMap::new();
    for mut problem in [
        own.unwrap_or_default(),
        common,
        json!([described(SERVICE_AWAY)]),
    ]
    .into_iter()
    .filter_map(|list| list.as_array().cloned())
    .flatten()
    {
        if let (Some(status), Some(code)) = (problem["status"].as_u64(), problem["code"].as_str()) {
            let code = code.to_owned();
            let mut example = problem["example"].take();
            if let (true, Some((field, message))) = (code == "VALIDATION", &invalid) {
                example["detail"] = format!("{field}: {message}").into();
                example["errors"] = json!({field: [message]});
            }
            responses.entry(status).or_default().insert(code, example);
        }
    }
    for (status, examples) in responses {
        let title = u16::try_from(status)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .and_then(|status| status.canonical_reason());
        let codes: Vec<&String> = examples.keys().collect();
        let mut response = json!({
            "description": title,
            "content": {"application/problem+json": {"schema": {"allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"type": "object", "properties": {"code": {"type": "string", "enum": codes}}},
            ]}}},
        });
        let examples = examples.into_iter();
        let examples = examples.map(|(code, example)| (code, json!({"value": example})));
        response["content"]["application/problem+json"]["examples"] =
            Value::Object(examples.collect::<Map<_, _>>());
        let header = match status {
            401 => Some("WWW-Authenticate"),
            429 | 503 => Some("Retry-After"),
            _ => None,
        };
        if let Some(header) = header {
            response["headers"][header] = json!({"$ref": format!("#/components/headers/{header}")});
        }
        operation["responses"][status.to_string()] = response;
    }
    operation["responses"]["default"] = json!({"$ref": "#/components/responses/Problem"});
}

/// A field of the route, and a message that refuses it.
fn invalid_field(operation: &Value, schemas: &Value) -> Option<(String, String)> {
    let body = operation.pointer("/requestBody/content/application~1json/schema/$ref");
    let body = body.and_then(|name| schemas.pointer(name.as_str()?.trim_start_matches('#')));
    if let Some(body) = body {
        if let Some(required) = body["required"][0].as_str() {
            return Some((required.to_owned(), "This field is required.".to_owned()));
        }
        let first = body["properties"].as_object()?.keys().next()?;
        return Some((first.clone(), "Must be a text.".to_owned()));
    }
    let parameters = operation["parameters"].as_array()?;
    parameters.iter().find_map(|parameter| {
        let (least, most) = (
            parameter.pointer("/schema/minimum")?,
            parameter.pointer("/schema/maximum")?,
        );
        let name = parameter["name"].as_str()?.to_owned();
        Some((name, format!("Must be a number from {least} to {most}.")))
    })
}

/// The problems that follow from the parameters of a route.
fn common_problems(operation: &Value) -> Vec<&'static dyn ErrorCode> {
    let mut errors: Vec<&dyn ErrorCode> = vec![&Common::Internal, &Common::Timeout];
    let has = |place: &str| {
        let parameters = operation["parameters"].as_array();
        parameters.is_some_and(|parameters| parameters.iter().any(|p| p["in"] == place))
    };
    if operation["security"].is_array() {
        errors.extend([
            &Common::NoToken as &dyn ErrorCode,
            &Common::InvalidToken,
            &Common::TokenExpired,
            &Common::KeysAway,
        ]);
    }
    if operation["requestBody"].is_object() {
        errors.extend([
            &Common::BadBody as &dyn ErrorCode,
            &Common::BadJson,
            &Common::Validation,
            &Common::TooLarge,
            &Common::NotJson,
        ]);
    }
    if operation["security"].is_array() || operation["requestBody"].is_object() {
        errors.extend([&Common::DatabaseAway as &dyn ErrorCode, &Common::Stopping]);
    }
    if has("header") {
        errors.extend([&Common::KeyReused as &dyn ErrorCode, &Common::Validation]);
    }
    if has("path") {
        errors.extend([&Common::BadRequest as &dyn ErrorCode, &Common::NotFound]);
    }
    if has("query") {
        errors.extend([&Common::BadRequest as &dyn ErrorCode, &Common::Validation]);
    }
    errors
}
