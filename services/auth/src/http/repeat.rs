//! Requests that create a user and that the client may repeat.

use super::errors::gone;
use crate::store::{self, users::User};
use events::UserId;
use messaging::{Claim, RequestKey, Transaction};
use service_kit::http::{Common, IdempotencyKey, Problem, body::Object};

/// The key of a request with this body, when it has one. `scope` names the route and the user.
pub(super) fn request_key(
    IdempotencyKey(key): IdempotencyKey,
    scope: &str,
    body: &Object,
) -> Option<RequestKey> {
    key.map(|key| RequestKey::new(scope, key, &body.canonical()))
}

/// Returns the user whom the same request created before. Else takes the key for the user `id`, who is to be created in
/// this transaction.
///
/// # Errors
/// When another request had the key, or the user does not exist any more.
pub(super) async fn created_before(
    tx: &mut Transaction,
    key: Option<&RequestKey>,
    id: UserId,
) -> Result<Option<User>, Problem> {
    let Some(key) = key else {
        return Ok(None);
    };
    match key.claim(tx, id.as_uuid()).await? {
        Claim::First => Ok(None),
        Claim::Repeat(id) => {
            let user = store::users::by_id(tx, id.into()).await?;
            user.map(Some).ok_or_else(gone)
        }
        Claim::Reused => Err(Common::KeyReused.into()),
    }
}
