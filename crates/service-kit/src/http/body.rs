//! The body of a writing request: one struct, from whose fields the body is read, validated and described.
//!
//! The macro [`crate::body!`] defines the struct. The type of a field says what the field accepts, so that a
//! handler receives valid values, and the OpenAPI document has the limits that the code has. Everything that is
//! wrong with a body is reported in one response.
//!
//! - [`field`]: what the type of a field says
//! - [`values`]: types of fields that several services have

mod field;
mod values;

pub use field::{Field, FieldValue, Patch, Text, nullable, one_of, text_schema};
pub use values::{JsonObject, OptionalId, OptionalNumber, OptionalText, RequiredText};

use crate::http::{Problem, problem::Common, problem::FieldErrors};
use axum::{
    body::Bytes,
    extract::{FromRequest, OptionalFromRequest, Request, rejection::BytesRejection},
    http::{StatusCode, header},
};
use field::{REQUIRED, text};
use serde::de::{Deserializer as _, MapAccess, Visitor};
/// For [`crate::body!`].
#[doc(hidden)]
pub use serde_json::json;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fmt};
use utoipa::openapi::{Object as Schema, ObjectBuilder, RefOr, Type, schema::Schema as AnySchema};

/// A body that was read and is valid.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A struct that is read from the fields of a JSON object.
pub trait FromObject: Sized {
    /// Reads all fields. The object keeps what is wrong; then the result is `None`.
    fn from_object(object: &mut Object) -> Option<Self>;
}

/// The JSON object of a body, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Object {
    values: Map<String, Value>,
    fields: BTreeSet<&'static str>,
    errors: FieldErrors,
}

impl Object {
    /// Reads a field, and keeps the message when it is refused.
    pub fn read<F: Field>(&mut self, name: &'static str) -> Option<F> {
        self.fields.insert(name);
        F::read(self, name)
            .map_err(|message| self.refuse(name, message))
            .ok()
    }

    /// The text of a field that must be there.
    ///
    /// # Errors
    /// When it is absent or not a text.
    pub fn required(&self, name: &str) -> Result<&str, String> {
        text(self.value(name).ok_or(REQUIRED)?)
    }

    /// The value of a field as it was sent, when it is there and not `null`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there, if only as `null`.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The fields as JSON, in the order of their names: the same for bodies that say the same.
    pub fn canonical(&self) -> String {
        serde_json::to_string(&self.values).expect("names are texts")
    }

    /// The value of another field, when it is there and valid.
    pub fn peek<T: Text>(&self, name: &str) -> Option<T> {
        T::read(self, name).ok()
    }

    fn refuse(&mut self, name: &str, message: impl Into<String>) {
        // The name may be the client's, and of any length.
        let name = name.chars().take(64).collect();
        self.errors.entry(name).or_default().push(message.into());
    }

    /// The parameters of a query. An empty one counts as absent.
    pub(super) fn of_query(parameters: Vec<(String, String)>) -> Self {
        let mut object = Self::default();
        for (name, value) in parameters {
            if !value.is_empty() {
                object.insert(name, value.into());
            }
        }
        object
    }

    /// Keeps the first value of a name that occurs twice, and refuses it: another parser may read the second value.
    fn insert(&mut self, name: String, value: Value) {
        if self.values.contains_key(&name) {
            self.refuse(&name, "This field stands here twice; send it once.");
        } else {
            self.values.insert(name, value);
        }
    }

    /// Returns what was read from a query, of which unknown parameters are ignored.
    ///
    /// # Errors
    /// When a known parameter was refused, with everything that is wrong.
    pub(super) fn into_parameters<T>(mut self, read: Option<T>) -> Result<T, Problem> {
        self.errors
            .retain(|name, _| self.fields.contains(name.as_str()));
        read.filter(|_| self.errors.is_empty())
            .ok_or_else(|| Problem::validation(self.errors))
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// When something is wrong with it, with everything that is.
    pub fn into_body<T: FromObject>(mut self) -> Result<T, Problem> {
        let body = T::from_object(&mut self);
        let unknown: Vec<String> = self
            .values
            .keys()
            .filter(|name| !self.fields.contains(name.as_str()))
            .cloned()
            .collect();
        for name in unknown {
            self.refuse(&name, "This field is not known here; leave it out.");
        }
        body.filter(|_| self.errors.is_empty())
            .ok_or_else(|| Problem::validation(self.errors))
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object::default();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            object.insert(name, value);
        }
        Ok(object)
    }
}

impl<S: Send + Sync, T: FromObject> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let object = <Object as FromRequest<S>>::from_request(request, state).await?;
        object.into_body().map(Self)
    }
}

/// For a body that may be absent.
impl<S: Send + Sync, T: FromObject> OptionalFromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        let (parts, body) = request.into_parts();
        let read = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let body = read.map_err(unreadable)?;
        if body.is_empty() {
            return Ok(None);
        }
        let request = Request::from_parts(parts, body.into());
        let object = <Object as FromRequest<S>>::from_request(request, state).await?;
        object.into_body().map(Self).map(Some)
    }
}

/// For a body with a field that takes long to read: the handler chooses the thread.
impl<S: Send + Sync> FromRequest<S> for Object {
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
            return Err(Common::NotJson.into());
        }
        let body = Bytes::from_request(request, state).await;
        parse(&body.map_err(unreadable)?)
    }
}

fn unreadable(rejection: BytesRejection) -> Common {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Common::TooLarge,
        _ => Common::BadBody,
    }
}

fn parse(body: &[u8]) -> Result<Object, Problem> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(_)) => serde_json::Deserializer::from_slice(body)
            .deserialize_map(ObjectVisitor)
            .map_err(Problem::internal),
        Ok(_) => Err(Problem::from(Common::BadJson).detail("the body must be a JSON object")),
        Err(error) => {
            Err(Problem::from(Common::BadJson).detail(format!("the body is not JSON: {error}")))
        }
    }
}

/// A field, as the OpenAPI document describes it.
pub struct Property {
    name: &'static str,
    required: bool,
    schema: Schema,
}

impl Property {
    /// Describes a field of this type.
    pub fn new<F: Field>(name: &'static str, about: &[&str], example: Value) -> Self {
        let schema = F::schema()
            .description(description(about))
            .examples([example]);
        Self {
            name,
            required: F::REQUIRED,
            schema: schema.build(),
        }
    }
}

/// The schema of a body.
pub fn describe(about: &[&str], properties: Vec<Property>) -> RefOr<AnySchema> {
    let mut object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(description(about));
    for property in properties {
        object = object.property(property.name, property.schema);
        if property.required {
            object = object.required(property.name);
        }
    }
    object.into()
}

pub(in crate::http) fn description(lines: &[&str]) -> Option<String> {
    let lines: Vec<_> = lines.iter().map(|line| line.trim()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Defines the struct of a body: each field with its type, which implements [`Field`], and an example in JSON.
#[macro_export]
macro_rules! body {
    (
        $(#[doc = $about:literal])*
        $visibility:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* $field:ident: $type:ty = $example:tt, )+
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        $visibility struct $name {
            $( $(#[doc = $doc])* $field: $type, )+
        }

        impl $crate::http::body::FromObject for $name {
            fn from_object(object: &mut $crate::http::body::Object) -> Option<Self> {
                $( let $field = object.read::<$type>(
                    stringify!($field).trim_start_matches("r#")
                ); )+
                Some(Self { $( $field: $field?, )+ })
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                use $crate::http::body::{Property, describe, json};
                describe(
                    &[$($about),*],
                    vec![$( Property::new::<$type>(
                        stringify!($field).trim_start_matches("r#"), &[$($doc),*], json!($example)
                    ), )+],
                )
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

#[cfg(test)]
mod tests;
