//! The query of a route that has no pages.

use super::{
    Common, Problem,
    body::{FromObject, Object},
};
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};

/// The parameters of a query, which [`crate::query!`] defines. Unknown ones are ignored.
#[derive(Debug)]
pub struct Parameters<Q>(pub Q);

impl<S: Send + Sync, Q: FromObject> FromRequestParts<S> for Parameters<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(parameters) = Query::try_from_uri(&parts.uri).map_err(|_| Common::BadRequest)?;
        let mut object = Object::of_query(parameters);
        let own = Q::from_object(&mut object);
        object.into_parameters(own).map(Self)
    }
}
