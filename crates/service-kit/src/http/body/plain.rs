//! Values that are not written as texts.

use super::{Field, Object, Patch};
use serde_json::Value;
use utoipa::openapi::{Object as Schema, ObjectBuilder, Type, schema::SchemaType};

impl Object {
    /// The fields as JSON, in the order of their names: the same for bodies that say the same.
    pub fn canonical(&self) -> String {
        serde_json::to_string(&self.values).expect("names are texts")
    }

    /// Whether a field is absent or `null`.
    pub fn lacks(&self, name: &str) -> bool {
        matches!(self.values.get(name), None | Some(Value::Null))
    }
}

/// It may be absent, but there is always a value: `null` is refused.
impl Field for Patch<bool> {
    const REQUIRED: bool = false;

    fn read(object: &Object, name: &str) -> Result<Self, String> {
        match object.values.get(name) {
            None => Ok(Self(None)),
            Some(Value::Bool(value)) => Ok(Self(Some(*value))),
            Some(_) => Err("Must be true or false.".into()),
        }
    }

    fn schema() -> ObjectBuilder {
        ObjectBuilder::new().schema_type(Type::Boolean)
    }
}

/// An example, as a value of the type that the schema names.
pub(in crate::http) fn example_of(schema: &Schema, example: &str) -> Value {
    match schema.schema_type {
        SchemaType::Type(Type::Boolean | Type::Integer) => {
            serde_json::from_str(example).expect("the example is of its type")
        }
        _ => example.into(),
    }
}
