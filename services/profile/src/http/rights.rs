//! Who may read and write whom.

use super::errors::gone;
use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use events::{Role, UserId};
use service_kit::http::{Common, CurrentUser, Problem, Verifier};
use uuid::Uuid;

/// The user who sent the request, who is an encadrant or an administrator, and what such a user may read.
///
/// This and [`Administrator`] are read before the body: who may not send it learns nothing about it.
pub(super) struct Staff {
    pub(super) user: CurrentUser,
    pub(super) access: Access,
}

/// The user who sent the request, who is an administrator.
pub(super) struct Administrator(pub(super) CurrentUser);

impl<S> FromRequestParts<S> for Staff
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user = CurrentUser::from_request_parts(parts, state).await?;
        let access = read_all(&user)?;
        Ok(Self { user, access })
    }
}

impl<S> FromRequestParts<S> for Administrator
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user = CurrentUser::from_request_parts(parts, state).await?;
        user.require(Role::Admin)?;
        Ok(Self(user))
    }
}

/// What a user may do with a profile that the user may see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Access {
    /// The user's own.
    Own,
    /// An administrator's.
    Full,
    /// An encadrant's: without phone, identity card and date of birth.
    Reading,
}

fn read_all(user: &CurrentUser) -> Result<Access, Problem> {
    match user.role {
        Role::Admin => Ok(Access::Full),
        Role::Encadrant => Ok(Access::Reading),
        Role::Student => {
            Err(Problem::from(Common::Forbidden).detail("This needs the role encadrant or admin."))
        }
    }
}

/// How a user may see the profile of `owner`.
///
/// # Errors
/// 404 when not at all.
pub(super) fn read_one(user: &CurrentUser, owner: UserId) -> Result<Access, Problem> {
    if user.id == owner {
        return Ok(Access::Own);
    }
    read_all(user).map_err(|_| gone())
}

/// Lets the owner and administrators write, and returns how auth-service's path names the user.
///
/// # Errors
/// 403 for others who may read.
pub(super) fn may_write(access: Access, user_id: Uuid) -> Result<String, Problem> {
    match access {
        Access::Own => Ok("me".to_owned()),
        Access::Full => Ok(user_id.to_string()),
        Access::Reading => Err(for_administrators()),
    }
}

/// Lets administrators delete; an owner does so at auth-service, with the password.
///
/// # Errors
/// 403 for others who may read.
pub(super) fn may_delete(access: Access) -> Result<(), Problem> {
    match access {
        Access::Full => Ok(()),
        Access::Own | Access::Reading => Err(for_administrators()),
    }
}

fn for_administrators() -> Problem {
    Problem::from(Common::Forbidden).detail("This needs the role admin.")
}
