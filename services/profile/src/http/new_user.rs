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
        numbers,
    },
};
use axum::http::StatusCode;
use events::UserId;
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::http::Problem;

/// What auth-service is asked for, and by whom.
pub(super) struct NewUser {
    pub(super) caller: Caller,
    pub(super) created_by: UserId,
    pub(super) email: String,
    /// Those among the own fields, and the role.
    pub(super) numbers: Numbers,
    /// The body for auth-service, without the id.
    pub(super) account: Value,
}

/// Where the own fields wait for the event of their user.
struct Place {
    user_id: UserId,
    /// No earlier request may have created the user.
    is_new: bool,
}

/// Stores the own fields, creates the user, and waits for the profile.
pub(super) async fn create<Fields: Serialize + Sync>(
    app: &App,
    mut request: NewUser,
    fields: &Fields,
) -> Result<Person, Problem> {
    let pool = &app.api.pool;
    let place = place(app, &request, fields).await?;
    let user_id = place.user_id;
    request.account["id"] = json!(user_id);
    match app.auth.create(&request.caller, &request.account).await {
        Ok(person) => {
            expected::confirm(&mut *pool.acquire().await?, user_id).await?;
            Effect::Creation(user_id).wait(pool).await?;
            Ok(person)
        }
        // The first try of a repeat may have created the user, unless the address is another user's.
        Err(AuthError::Refused(status, problem))
            if place.is_new || status == StatusCode::CONFLICT =>
        {
            expected::take(&mut *pool.acquire().await?, &[user_id]).await?;
            Err(problem)
        }
        Err(error) => Err(error.into()),
    }
}

/// Stores the own fields, and takes the numbers.
async fn place<Fields: Serialize + Sync>(
    app: &App,
    request: &NewUser,
    fields: &Fields,
) -> Result<Place, Problem> {
    let mut tx = app.api.pool.begin().await?;
    let expected = Expected {
        user_id: UserId::new(),
        created_by: request.created_by,
        email: &request.email,
        role: request.numbers.role,
        fields,
    };
    let (user_id, is_new) = expected::put(&mut tx, expected).await?;
    let others = numbers::taken(&mut tx, user_id, &request.numbers).await?;
    if !others.is_empty() {
        return Err(taken(&others));
    }
    tx.commit().await?;
    Ok(Place { user_id, is_new })
}
