//! The body of a writing request, field by field. Everything that is wrong is told at once: a missing field, a
//! wrong type, a value that the domain refuses, and a field that does not exist here.

use crate::http::{Problem, problem::FieldErrors};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use serde_json::{Map, Value};
use std::fmt::Display;

/// The fields of a JSON object, read one after the other; [`Fields::finish`] tells what is wrong.
#[derive(Debug)]
pub struct Fields {
    left: Map<String, Value>,
    errors: FieldErrors,
}

impl Fields {
    /// A text that must be there.
    pub fn required<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.left.remove(name) {
            None | Some(Value::Null) => {
                self.refuse(name, "This field is required.");
                None
            }
            Some(value) => self.text(name, &value, parse),
        }
    }

    /// A text that may be absent or `null`.
    pub fn optional<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.left.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.text(name, &value, parse),
        }
    }

    /// A text that may be absent: then it stays as it is. `null` clears it, as an empty text does.
    pub fn change<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.left.remove(name) {
            None => None,
            Some(Value::Null) => self.text(name, &Value::from(""), parse),
            Some(value) => self.text(name, &value, parse),
        }
    }

    /// Says that a field cannot be taken.
    pub fn refuse(&mut self, name: &str, message: impl Display) {
        self.errors
            .entry(name.to_owned())
            .or_default()
            .push(message.to_string());
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When anything was refused, or a field was not asked for.
    pub fn finish(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.left).keys() {
            let shown: String = name.chars().take(64).collect();
            self.refuse(&shown, "This field is not known here; leave it out.");
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::validation(self.errors))
        }
    }

    fn text<T, E: Display>(
        &mut self,
        name: &str,
        value: &Value,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(text) = value.as_str() else {
            self.refuse(name, "Must be a text.");
            return None;
        };
        if text.contains('\0') {
            self.refuse(name, "Must not contain a NUL character.");
            return None;
        }
        parse(text).map_err(|error| self.refuse(name, error)).ok()
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "NOT_JSON",
                "The body must be JSON; send the header Content-Type: application/json.",
            ));
        }
        let body =
            Bytes::from_request(request, state)
                .await
                .map_err(|rejection| match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "TOO_LARGE",
                        "The body is larger than 16 KiB.",
                    ),
                    _ => Problem::new(
                        StatusCode::BAD_REQUEST,
                        "BAD_BODY",
                        "The body could not be read to its end.",
                    ),
                })?;
        match serde_json::from_slice(&body) {
            Ok(Value::Object(left)) => Ok(Self {
                left,
                errors: FieldErrors::new(),
            }),
            Ok(_) => Err(bad_json("the body must be a JSON object")),
            Err(error) => Err(bad_json(format!("the body is not JSON: {error}"))),
        }
    }
}

fn bad_json(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "BAD_JSON", detail)
}
