//! Types of fields that several services have. In each an empty text counts as no value, because the forms of the front
//! end send one for a field that a person has emptied.

use super::field::{FieldValue, NUL, Text, text_schema};
use serde_json::{Map, Value};
use utoipa::openapi::{ObjectBuilder, Type, schema::AdditionalProperties};
use uuid::Uuid;

/// A text of 1 to `MAX` characters. White space around it is dropped.
#[derive(Clone, Debug)]
pub struct RequiredText<const MAX: usize>(pub String);

/// A text of at most `MAX` characters, or none. White space around it is dropped.
#[derive(Clone, Debug, Default)]
pub struct OptionalText<const MAX: usize>(pub Option<String>);

/// The id of another object, or none.
#[derive(Clone, Copy, Debug)]
pub struct OptionalId(pub Option<Uuid>);

/// A whole number from `MIN` to `MAX`, or none.
#[derive(Clone, Copy, Debug)]
pub struct OptionalNumber<const MIN: i32, const MAX: i32>(pub Option<i32>);

/// A JSON object of at most `BYTES` bytes, which clients store.
#[derive(Clone, Debug, Default)]
pub struct JsonObject<const BYTES: usize>(pub Map<String, Value>);

fn at_most(text: &str, max: usize) -> Result<&str, String> {
    if text.chars().count() > max {
        return Err(format!("Use at most {max} characters."));
    }
    Ok(text.trim())
}

impl<const MAX: usize> Text for RequiredText<MAX> {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        match at_most(text, MAX)? {
            "" => Err("This field must not be empty.".into()),
            text => Ok(Self(text.to_owned())),
        }
    }

    fn schema() -> ObjectBuilder {
        let schema = text_schema().pattern(Some(r"\S"));
        schema.min_length(Some(1)).max_length(Some(MAX))
    }
}

impl<const MAX: usize> Text for OptionalText<MAX> {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        let text = at_most(text, MAX)?;
        Ok(Self((!text.is_empty()).then(|| text.to_owned())))
    }

    fn schema() -> ObjectBuilder {
        text_schema().max_length(Some(MAX))
    }
}

impl Text for OptionalId {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "" => Ok(Self(None)),
            text => Uuid::parse(text).map(|id| Self(Some(id))),
        }
    }

    fn schema() -> ObjectBuilder {
        <Uuid as Text>::schema()
    }
}

impl<const MIN: i32, const MAX: i32> FieldValue for OptionalNumber<MIN, MAX> {
    fn from_json(value: &Value) -> Result<Self, String> {
        if value == "" {
            return Self::cleared();
        }
        // For JSON Schema 2.0 is a whole number.
        let number = value.as_f64().filter(|number| number.fract() == 0.0);
        let number = number.filter(|number| (f64::from(MIN)..=f64::from(MAX)).contains(number));
        let number = number.ok_or_else(|| format!("Must be a number from {MIN} to {MAX}."))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole and in the range"
        )]
        let number = number as i32;
        Ok(Self(Some(number)))
    }

    fn cleared() -> Result<Self, String> {
        Ok(Self(None))
    }

    fn schema() -> ObjectBuilder {
        let schema = ObjectBuilder::new().schema_type(Type::Integer);
        schema.minimum(Some(MIN)).maximum(Some(MAX))
    }
}

impl<const BYTES: usize> FieldValue for JsonObject<BYTES> {
    fn from_json(value: &Value) -> Result<Self, String> {
        let Value::Object(object) = value else {
            return Err("Must be a JSON object.".into());
        };
        if has_nul(value) {
            return Err(NUL.into());
        }
        if value.to_string().len() > BYTES {
            return Err(format!("Use at most {BYTES} bytes."));
        }
        Ok(Self(object.clone()))
    }

    fn cleared() -> Result<Self, String> {
        Ok(Self::default())
    }

    fn schema() -> ObjectBuilder {
        let schema = ObjectBuilder::new().schema_type(Type::Object);
        schema.additional_properties(Some(AdditionalProperties::FreeForm(true)))
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl FieldValue for bool {
    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| BOOLEAN.into())
    }

    fn cleared() -> Result<Self, String> {
        Err(BOOLEAN.into())
    }

    fn schema() -> ObjectBuilder {
        ObjectBuilder::new().schema_type(Type::Boolean)
    }
}

const BOOLEAN: &str = "Must be true or false.";
