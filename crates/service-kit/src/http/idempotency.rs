//! The key by which a client may repeat a request whose answer was lost.

use crate::http::{Problem, body::Text as _};
use axum::{extract::FromRequestParts, http::request::Parts};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterBuilder, ParameterIn},
};
use uuid::Uuid;

/// The name of the header.
pub(crate) const HEADER: &str = "idempotency-key";
/// The name of the header, as people write it.
pub(super) const NAME: &str = "Idempotency-Key";

/// The `Idempotency-Key` of a request, when it has one.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKey(pub Option<Uuid>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else {
            return Ok(Self(None));
        };
        let key = Uuid::parse(value.to_str().unwrap_or_default());
        let refused = |message: &str| (NAME.to_owned(), vec![message.to_owned()]);
        key.map(|key| Self(Some(key)))
            .map_err(|message| Problem::validation([refused(message)].into()))
    }
}

/// Describes the header. A route that has it may answer 409 `KEY_REUSED`.
impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "A UUID that the client draws for this request, and sends again when it repeats the request because \
                     the answer was lost: the request has its effect once, and a repeat within 24 hours is answered as \
                     the first time. Another body with the same key is refused.";
        let parameter = ParameterBuilder::new()
            .name(NAME)
            .parameter_in(ParameterIn::Header)
            .description(Some(about))
            .schema(Some(Uuid::schema().build()))
            .example(Some("0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d".into()));
        vec![parameter.build()]
    }
}
