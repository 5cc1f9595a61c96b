//! A service's OpenAPI document: made from its routes, so that none is missing, and served with a page.

mod examples;
mod links;
mod problems;

pub use problems::problems;

use crate::http::{Claims, Problem, problem::Body};
use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde_json::{Map, Value, json};
use std::{
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

/// Splits routes into a router and the document that describes them. Adds what every API has in common: the
/// access token, problems as responses, headers, examples, links, and bodies that must not hold unknown fields.
pub fn documented<S>(service: &str, about: &str, routes: OpenApiRouter<S>) -> (Router<S>, Value)
where
    S: Clone + Send + Sync + 'static,
{
    let (router, described) = routes.split_for_parts();
    let mut document = json!(described);
    links::name_operations(&mut document);
    document["info"] = json!({
        "title": format!("MedTrack {service}"),
        "description": format!("{about}\n\n[All services](/)"),
        "version": env!("CARGO_PKG_VERSION"),
    });
    document["servers"] = json!([
        {"url": "/", "description": "The gateway that this document comes from."},
        {"url": "http://localhost:8080", "description": "The gateway of `./medtrack up`."},
        {"url": "http://localhost", "description": "The gateway of `docker-compose up`."},
    ]);
    add_components(&mut document["components"]);
    let schemas = document.clone();
    let mut bodies = Vec::new();
    for operation in operations(&mut document) {
        problems::describe(operation, &schemas);
        add_request_id(operation);
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
    examples::add(&mut document);
    links::add(&mut document);
    (router, document)
}

/// What the routes of all services refer to.
fn add_components(components: &mut Value) {
    components["securitySchemes"]["access_token"] = json!({
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `access_token` of the answer to a registration or to a log-in: a JWT with the claims of \
                        the schema `AccessTokenClaims`, signed with EdDSA (Ed25519). The public keys are at \
                        `/auth/.well-known/jwks.json`.",
    });
    components["schemas"]["AccessTokenClaims"] = json!(Claims::schema());
    components["schemas"]["Problem"] = json!(Body::schema());
    components["responses"]["Problem"] = json!({
        "description": "Why it was not done: RFC 9457, with a code for programs.",
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let headers = [
        (
            "X-Request-Id",
            json!({"type": "string", "format": "uuid"}),
            "The id of the request: the one that the client sent, when it is a UUID, else a new one. It finds the \
             request in the logs, and is the correlation id of its events.",
        ),
        (
            "Retry-After",
            json!({"type": "integer", "minimum": 1}),
            "The seconds after which another try may work.",
        ),
        (
            "WWW-Authenticate",
            json!({"type": "string", "enum": ["Bearer"]}),
            "The kind of token that is needed.",
        ),
    ];
    for (name, schema, description) in headers {
        components["headers"][name] = json!({"description": description, "schema": schema});
    }
}

/// Every response has the id of its request.
fn add_request_id(operation: &mut Value) {
    let responses = operation["responses"].as_object_mut();
    for response in responses.into_iter().flat_map(Map::values_mut) {
        if response["$ref"].is_null() {
            response["headers"]["X-Request-Id"] =
                json!({"$ref": "#/components/headers/X-Request-Id"});
        }
    }
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
    let title: Arc<str> = document["info"]["title"]
        .as_str()
        .unwrap_or_default()
        .into();
    let config = Arc::new(Config::new(["openapi.json"]).use_base_layout());
    Router::new()
        .route(path, get(async move || Redirect::temporary(&index)))
        .route(
            &format!("{path}/openapi.json"),
            get(async move || Json(document)),
        )
        .route(
            &format!("{path}/{{file}}"),
            get(async move |Path(name): Path<String>| file(&name, config, &title)),
        )
}

fn file(name: &str, config: Arc<Config<'static>>, title: &str) -> Result<Response, Problem> {
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
    let mut bytes = file.bytes.into_owned();
    if name == "index.html" {
        // So that the pages of the services differ among the tabs of a browser.
        let page = String::from_utf8_lossy(&bytes);
        bytes = page
            .replace(
                "<title>Swagger UI</title>",
                &format!("<title>{title}</title>"),
            )
            .into();
    }
    let mut response = (headers, bytes).into_response();
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
