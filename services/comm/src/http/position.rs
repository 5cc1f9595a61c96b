//! Where an inbox is, as responses and requests say it.

use crate::store::inboxes::Position;
use axum::{
    http::HeaderValue,
    response::{IntoResponse, Response},
};
use serde_json::Value;
use service_kit::http::body::{FieldValue, Text};
use utoipa::openapi::{ObjectBuilder, Type};

/// JavaScript has no greater whole number.
const MAX: i64 = (1 << 53) - 1;

/// A position in a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until(pub(super) i64);

/// A position in a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since(pub(super) i64);

/// Adds `X-Inbox-Seq`, which says what state of the inbox the response shows.
pub(super) fn at(position: Position, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    if let Ok(value) = HeaderValue::from_str(&position.to_string()) {
        response.headers_mut().insert("x-inbox-seq", value);
    }
    response
}

fn in_range(number: Option<i64>) -> Result<i64, String> {
    let number = number.filter(|number| (0..=MAX).contains(number));
    number.ok_or_else(|| format!("Must be a number from 0 to {MAX}."))
}

fn schema() -> ObjectBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::Integer);
    schema.minimum(Some(0)).maximum(Some(MAX))
}

impl FieldValue for Until {
    fn from_json(value: &Value) -> Result<Self, String> {
        in_range(value.as_i64()).map(Self)
    }

    fn cleared() -> Result<Self, String> {
        Err("Leave the field out.".into())
    }

    fn schema() -> ObjectBuilder {
        schema()
    }
}

impl Text for Since {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        in_range(text.parse().ok()).map(Self)
    }

    fn schema() -> ObjectBuilder {
        schema()
    }
}
