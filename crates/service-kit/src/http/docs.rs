//! A service's OpenAPI document: made from its routes, so that none is missing, and served with a page.

use crate::http::{Common, ErrorCode, Problem, problem::Body};
use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};
use utoipa::PartialSchema as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::Config;

/// Of the page: its own scripts and styles, and no others.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";

/// Where a route names its own problems, until [`documented`] turns them into responses.
const PROBLEMS: &str = "x-problems";

/// The problems of a route beside those that follow from its parameters, for `extensions(("x-problems" = …))`.
pub fn problems(errors: &[&dyn ErrorCode]) -> Value {
    let kinds = errors.iter().map(|error| error.kind());
    kinds
        .map(|kind| json!({"status": kind.status.as_u16(), "code": kind.code}))
        .collect()
}

/// Splits routes into a router and the document that describes them. Adds what every API has in common: the
/// access token, problems as responses, and bodies that must not hold unknown fields.
pub fn documented<S>(service: &str, about: &str, routes: OpenApiRouter<S>) -> (Router<S>, Value)
where
    S: Clone + Send + Sync + 'static,
{
    let (router, described) = routes.split_for_parts();
    let mut document = json!(described);
    document["info"] = json!({
        "title": format!("MedTrack {service}"),
        "description": about,
        "version": env!("CARGO_PKG_VERSION"),
    });
    document["components"]["securitySchemes"]["access_token"] =
        json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"});
    document["components"]["schemas"]["Problem"] = json!(Body::schema());
    document["components"]["responses"]["Problem"] = json!({
        "description": "Why it was not done: RFC 9457, with a code for programs.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let mut bodies = Vec::new();
    for operation in operations(&mut document) {
        describe_problems(operation);
        bodies.extend(
            operation
                .pointer("/requestBody/content/application~1json/schema/$ref")
                .cloned(),
        );
    }
    for body in bodies {
        let schema = body
            .as_str()
            .and_then(|name| document.pointer_mut(name.trim_start_matches('#')));
        if let Some(schema) = schema {
            schema["additionalProperties"] = false.into();
        }
    }
    (router, document)
}

/// Adds a response for each status of a problem, with the codes that it may have.
fn describe_problems(operation: &mut Value) {
    let mut codes: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let own = operation
        .as_object_mut()
        .and_then(|operation| operation.remove(PROBLEMS));
    let common = common_problems(operation);
    for problem in [own.unwrap_or_default(), problems(&common)]
        .iter()
        .filter_map(Value::as_array)
        .flatten()
    {
        if let (Some(status), Some(code)) = (problem["status"].as_u64(), problem["code"].as_str()) {
            codes.entry(status).or_default().insert(code.to_owned());
        }
    }
    for (status, codes) in codes {
        let title = u16::try_from(status)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .and_then(|status| status.canonical_reason());
        operation["responses"][status.to_string()] = json!({
            "description": title,
            "content": {"application/problem+json": {"schema": {"allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"type": "object", "properties": {"code": {"type": "string", "enum": codes}}},
            ]}}},
        });
    }
    operation["responses"]["default"] = json!({"$ref": "#/components/responses/Problem"});
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
    if has("path") {
        errors.extend([&Common::BadRequest as &dyn ErrorCode, &Common::NotFound]);
    }
    if has("query") {
        errors.extend([&Common::BadRequest as &dyn ErrorCode, &Common::Validation]);
    }
    errors
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut);
    paths
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut)
}

/// Serves the document at `openapi.json` below this path, and a page that shows it and tries it out.
pub fn page(path: &str, document: Value) -> Router {
    let index = format!("{path}/index.html");
    let config = Arc::new(Config::new(["openapi.json"]).use_base_layout());
    Router::new()
        .route(path, get(async move || Redirect::temporary(&index)))
        .route(
            &format!("{path}/openapi.json"),
            get(async move || Json(document)),
        )
        .route(
            &format!("{path}/{{file}}"),
            get(async move |Path(name): Path<String>| file(&name, config)),
        )
}

fn file(name: &str, config: Arc<Config<'static>>) -> Result<Response, Problem> {
    let file = utoipa_swagger_ui::serve(name, config).map_err(Problem::internal)?;
    let file = file.ok_or_else(|| Problem::not_found("There is no such file."))?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::try_from(file.content_type).map_err(Problem::internal)?,
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(PAGE_POLICY),
        ),
    ];
    let mut response = (headers, file.bytes.into_owned()).into_response();
    if file.gzpipped {
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// Prints the document.
pub fn print(document: &Value) -> ExitCode {
    // A reader that closes its end early, such as `head`, is not an error.
    let _ = writeln!(io::stdout(), "{document:#}");
    ExitCode::SUCCESS
}
