//! A service's OpenAPI document: made from its routes, so that none can be missing, and served with a page.

use crate::http::{Problem, problem::Body};
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

/// Takes routes apart: a router, and the document that describes them. What every API has in common is added:
/// the access token, problems as answers, and bodies that must not hold unknown fields.
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
        operation["responses"]["default"] = json!({"$ref": "#/components/responses/Problem"});
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
    // Whoever has read enough, as in `| head`, is no error.
    let _ = writeln!(io::stdout(), "{document:#}");
    ExitCode::SUCCESS
}
