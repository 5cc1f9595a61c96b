//! What a field of a body accepts: its type says it.

use super::Object;
use serde_json::Value;
use std::fmt::Display;
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, Type, schema::SchemaType};
use uuid::Uuid;

/// A field of a body.
pub trait Field: Sized {
    /// Whether the field must be there.
    const REQUIRED: bool;

    /// Reads the field.
    ///
    /// # Errors
    /// When it cannot be accepted, with a message for people.
    fn read(object: &Object, name: &str) -> Result<Self, String>;

    /// Describes the values that the field accepts.
    fn schema() -> ObjectBuilder;
}

/// A value that is written as a JSON string.
pub trait Text: Sized {
    /// Why a text is refused.
    type Refusal: Display;

    /// Reads the value.
    ///
    /// # Errors
    /// When the text is not such a value, with a message for people.
    fn parse(text: &str) -> Result<Self, Self::Refusal>;

    /// Describes the texts that are accepted.
    fn schema() -> ObjectBuilder {
        text_schema()
    }
}

/// A value of a field, of any type of JSON. Every [`Text`] is one.
pub trait FieldValue: Sized {
    /// Reads the value, which is not `null`.
    ///
    /// # Errors
    /// When it is not such a value, with a message for people.
    fn from_json(value: &Value) -> Result<Self, String>;

    /// What `null` stands for in a [`Patch`].
    ///
    /// # Errors
    /// When the field cannot be cleared, with a message for people.
    fn cleared() -> Result<Self, String>;

    /// Describes the values that are accepted.
    fn schema() -> ObjectBuilder;
}

/// A field of a change: absent, the value stays; `null` clears it, as an empty text does.
#[derive(Debug)]
pub struct Patch<T>(pub Option<T>);

/// The schema of any text.
pub fn text_schema() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// The schema of a text that is one of these.
pub fn one_of<T: Into<String>>(values: impl IntoIterator<Item = T>) -> ObjectBuilder {
    let values = values.into_iter().map(|value| Value::String(value.into()));
    text_schema().enum_values(Some(values))
}

/// The same schema, which also accepts `null`.
pub fn nullable(schema: ObjectBuilder) -> ObjectBuilder {
    let mut schema = schema.build();
    if let Some(values) = &mut schema.enum_values {
        values.push(Value::Null);
    }
    if let SchemaType::Type(kind) = schema.schema_type {
        schema.schema_type = SchemaType::from_iter([kind, Type::Null]);
    }
    schema.into()
}

impl Text for String {
    type Refusal = std::convert::Infallible;

    fn parse(text: &str) -> Result<Self, Self::Refusal> {
        Ok(text.to_owned())
    }
}

impl Text for Uuid {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, Self::Refusal> {
        text.parse().map_err(|_| "Must be a UUID.")
    }

    fn schema() -> ObjectBuilder {
        text_schema().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
    }
}

impl<T: Text> FieldValue for T {
    fn from_json(value: &Value) -> Result<Self, String> {
        T::parse(text(value)?).map_err(|refusal| refusal.to_string())
    }

    fn cleared() -> Result<Self, String> {
        T::parse("").map_err(|refusal| refusal.to_string())
    }

    fn schema() -> ObjectBuilder {
        <T as Text>::schema()
    }
}

/// PostgreSQL stores no NUL character.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) if text.contains('\0') => Err(NUL.into()),
        Value::String(text) => Ok(text),
        _ => Err("Must be a text.".into()),
    }
}

impl<V: FieldValue> Field for V {
    const REQUIRED: bool = true;

    fn read(object: &Object, name: &str) -> Result<Self, String> {
        V::from_json(object.value(name).ok_or(REQUIRED)?)
    }

    fn schema() -> ObjectBuilder {
        <V as FieldValue>::schema()
    }
}

impl<V: FieldValue> Field for Option<V> {
    const REQUIRED: bool = false;

    fn read(object: &Object, name: &str) -> Result<Self, String> {
        object.value(name).map(V::from_json).transpose()
    }

    fn schema() -> ObjectBuilder {
        nullable(<V as FieldValue>::schema())
    }
}

impl<V: FieldValue> Field for Patch<V> {
    const REQUIRED: bool = false;

    fn read(object: &Object, name: &str) -> Result<Self, String> {
        if !object.has(name) {
            return Ok(Self(None));
        }
        let value = object.value(name).map_or_else(V::cleared, V::from_json);
        value.map(|value| Self(Some(value)))
    }

    fn schema() -> ObjectBuilder {
        match V::cleared() {
            Ok(_) => nullable(<V as FieldValue>::schema()),
            Err(_) => <V as FieldValue>::schema(),
        }
    }
}

pub(super) const REQUIRED: &str = "This field is required.";
pub(super) const NUL: &str = "Must not contain a NUL character.";
