//! Creates the users of students and encadrants who are created.
//!
//! The own fields are stored first, under an id that is drawn here. Then auth-service is asked to create a user with this
//! id, and its event makes the profile with these fields. So an answer that is lost loses nothing: the event completes
//! the profile, and a repeat of the request has the same id. The numbers among the own fields are kept for the user.

use super::{
    App,
    auth::{AuthError, Caller},
    effect::Effect,
    errors::taken,
};
use crate::{
    domain::{Numbers, Person},
    store::{
        expected::{self, Expected},
        numbers, people,
    },
};
use axum::http::StatusCode;
use events::UserId;
use messaging::{Claim, RequestKey};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::http::{Common, IdempotencyKey, Problem, body::Object, detached};
use sqlx::PgConnection;

/// What auth-service is asked for, and by whom.
pub(super) struct NewUser {
    pub(super) caller: Caller,
    pub(super) created_by: UserId,
    pub(super) key: Option<RequestKey>,
    pub(super) email: String,
    /// Those among the own fields, and the role.
    pub(super) numbers: Numbers,
    /// The body for auth-service, without the id.
    pub(super) account: Value,
}

/// A user who was created, now or by the request that this one repeats.
pub(super) struct Created {
    pub(super) user_id: UserId,
    /// As auth-service answered; `None` when the profile was there already.
    pub(super) person: Option<Person>,
}

/// Where the own fields wait for the event of their user.
struct Place {
    user_id: UserId,
    /// No earlier request may have created the user.
    is_new: bool,
    /// The profile was made by the request that this one repeats.
    is_made: bool,
}

/// The key of a request with this body, when it has one.
pub(super) fn key(
    IdempotencyKey(key): IdempotencyKey,
    created_by: UserId,
    route: &str,
    body: &Object,
) -> Option<RequestKey> {
    key.map(|key| RequestKey::new(&format!("{created_by} {route}"), key, &body.canonical()))
}

/// Stores the own fields, creates the user, and waits for the profile.
pub(super) async fn create<Fields: Serialize + Send + Sync + 'static>(
    app: App,
    mut request: NewUser,
    fields: Fields,
) -> Result<Created, Problem> {
    detached(async move {
        let pool = &app.api.pool;
        let mut tx = pool.begin().await?;
        let place = place(&mut tx, &request, &fields).await?;
        tx.commit().await?;
        let user_id = place.user_id;
        if place.is_made {
            let person = None;
            return Ok(Created { user_id, person });
        }
        request.account["id"] = json!(user_id);
        match app.auth.create(&request.caller, &request.account).await {
            Ok(person) => {
                expected::confirm(&mut *pool.acquire().await?, user_id).await?;
                Effect::Creation(user_id).wait(pool).await?;
                let person = Some(person);
                Ok(Created { user_id, person })
            }
            // The first try of a repeat may have created the user, unless the address is another user's.
            Err(AuthError::Refused(status, problem))
                if place.is_new || status == StatusCode::CONFLICT =>
            {
                let mut tx = pool.begin().await?;
                expected::take(&mut tx, &[user_id]).await?;
                if let Some(key) = request.key.filter(|_| place.is_new) {
                    key.release(&mut tx).await?;
                }
                tx.commit().await?;
                Err(problem)
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// Stores the own fields, and takes the key of the request and the numbers.
async fn place<Fields: Serialize + Sync>(
    tx: &mut PgConnection,
    request: &NewUser,
    fields: &Fields,
) -> Result<Place, Problem> {
    let mut user_id = UserId::new();
    let claim = match &request.key {
        Some(key) => key.claim(tx, user_id.as_uuid()).await?,
        None => Claim::First,
    };
    match claim {
        Claim::First => {}
        Claim::Reused => return Err(Common::KeyReused.into()),
        Claim::Repeat(first) => {
            user_id = first.into();
            if !people::is_gone(tx, user_id).await? {
                return Ok(Place {
                    user_id,
                    is_new: false,
                    is_made: true,
                });
            }
        }
    }
    let expected = Expected {
        user_id,
        created_by: request.created_by,
        email: &request.email,
        role: request.numbers.role,
        fields,
    };
    let (user_id, is_new) = expected::put(tx, expected).await?;
    let others = numbers::taken(tx, user_id, &request.numbers).await?;
    if !others.is_empty() {
        return Err(taken(&others));
    }
    Ok(Place {
        user_id,
        is_new: is_new && claim == Claim::First,
        is_made: false,
    })
}
