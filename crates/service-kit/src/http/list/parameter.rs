//! The parameters of lists in the OpenAPI document.

use crate::http::body::{Text, description};
use utoipa::openapi::{
    Object, ObjectBuilder, RefOr, Schema, Type,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{AnyOfBuilder, SchemaType},
};

/// A parameter, as the OpenAPI document describes it.
pub fn parameter<T: Text>(name: &str, about: &[&str], example: &str) -> Parameter {
    let schema = T::schema().build();
    let example = match schema.schema_type {
        SchemaType::Type(Type::String) => example.into(),
        _ => serde_json::from_str(example).unwrap_or_else(|_| example.into()),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(description(about))
        .schema(Some(or_empty(schema)))
        .example(Some(example))
        .build()
}

/// An empty parameter counts as absent, and a text is one of the values or of the format or empty.
fn or_empty(mut schema: Object) -> RefOr<Schema> {
    if let Some(values) = &mut schema.enum_values {
        values.push("".into());
        return schema.into();
    }
    if schema.format.is_none() || schema.schema_type != SchemaType::Type(Type::String) {
        return schema.into();
    }
    let empty = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(0));
    AnyOfBuilder::new().item(schema).item(empty).into()
}
