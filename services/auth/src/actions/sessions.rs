//! Sessions. Where nothing else is said, an action fails with the error of the database or of the event.

use super::users::UserError;
use crate::{
    domain::RefreshToken,
    store::{
        self,
        audit::{Action, Actor, Outcome},
        sessions::{NewSession, Rotation},
        users::User,
    },
};
use chrono::{DateTime, Days, TimeDelta, Utc};
use events::{UserId, auth::SessionRevoked};
use messaging::{Cause, Transaction};
use rand::RngExt as _;
use serde_json::Value;
use service_kit::revocations::Revocation;
use sqlx::PgConnection;
use uuid::{Builder, Uuid};

/// The longest life of a session.
pub(crate) const SESSION_TTL: Days = Days::new(30);
/// How often a refresh token may be used again within its 30 s. No client with a bad connection comes near it.
const MAX_REPEATS: i32 = 100;

/// A session that has not ended, as an access token names it.
pub(crate) struct Session {
    /// The id of the session.
    pub id: Uuid,
    /// When the user last gave the password.
    pub authenticated_at: DateTime<Utc>,
}

/// A session with its present refresh token.
pub(crate) struct Opened {
    /// The session.
    pub session: Session,
    /// The present refresh token.
    pub refresh_token: RefreshToken,
    /// Whether the browser keeps its cookie when it ends.
    pub is_remembered: bool,
}

/// A refresh token that a client presents.
pub(crate) struct Presented {
    /// The token.
    pub token: RefreshToken,
    /// Whether a browser keeps it, which knows one token at a time: all tabs of the browser.
    pub is_cookie: bool,
}

/// Opens a session.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn open(
    connection: &mut PgConnection,
    user_id: UserId,
    client_info: Value,
    is_remembered: bool,
) -> sqlx::Result<Opened> {
    let id = next_id(Utc::now());
    let refresh_token = RefreshToken::first(id);
    let new = NewSession {
        id,
        user_id,
        refresh_token_hash: refresh_token.digest(),
        client_info,
        expires_at: Utc::now() + SESSION_TTL,
        is_remembered,
    };
    let authenticated_at = store::sessions::insert(connection, new).await?;
    Ok(Opened {
        session: Session {
            id,
            authenticated_at,
        },
        refresh_token,
        is_remembered,
    })
}

/// The id of a session that begins after `now`: a revocation of all sessions is compared with the milliseconds of the id,
/// and must not end a session that the same transaction opens.
fn next_id(now: DateTime<Utc>) -> Uuid {
    let after = (now + TimeDelta::milliseconds(1)).timestamp_millis();
    Builder::from_unix_timestamp_millis(after.unsigned_abs(), &rand::rng().random()).into_uuid()
}

/// Exchanges a refresh token for the next one. `None` when it is refused; commit then, too, because the session may have
/// ended.
///
/// A token that was used in the last 30 s is exchanged for the same token as the first time, because the answer may have
/// been lost; in a cookie, for the present one, because a later answer replaces the cookie that an earlier one has set.
/// Any other token that is not the present one of its session is stolen or made up: the session ends.
pub(crate) async fn refresh(
    tx: &mut Transaction,
    cause: &Cause,
    by: &Actor,
    presented: &Presented,
) -> Result<Option<(User, Opened)>, UserError> {
    let id = presented.token.session_id();
    let Some(session) = store::sessions::lock(tx, id).await? else {
        return Ok(None);
    };
    let user_id = session.user_id.into();
    let Some(refresh_token) = exchange(tx, presented, &session.refresh_token_hash).await? else {
        tracing::warn!(session_id = %id, "A refresh token was used after its time; its session is ended");
        let mut entry = by.did(Action::ReuseRefreshToken, user_id);
        entry.outcome = Outcome::Failed;
        store::audit::write(tx, entry).await?;
        revoke(tx, cause, user_id, id).await?;
        return Ok(None);
    };
    let user = store::users::by_id(tx, user_id).await?;
    let opened = Opened {
        session: Session {
            id,
            authenticated_at: session.authenticated_at,
        },
        refresh_token,
        is_remembered: session.is_remembered,
    };
    Ok(user
        .filter(|user| user.is_active)
        .map(|user| (user, opened)))
}

async fn exchange(
    tx: &mut Transaction,
    presented: &Presented,
    present_hash: &str,
) -> sqlx::Result<Option<RefreshToken>> {
    let token = &presented.token;
    let (session_id, used_hash) = (token.session_id(), token.digest());
    if used_hash != present_hash {
        let used = store::sessions::repeat(tx, session_id, &used_hash).await?;
        let Some(used) = used.filter(|used| used.repeats <= MAX_REPEATS) else {
            return Ok(None);
        };
        let next = token.next(&used.salt);
        return match presented.is_cookie {
            true => present(tx, next, present_hash).await.map(Some),
            false => Ok(Some(next)),
        };
    }
    let salt: [u8; 32] = rand::rng().random();
    let next = token.next(&salt);
    let rotation = Rotation {
        session_id,
        used_hash,
        salt: salt.to_vec(),
        next_hash: next.digest(),
    };
    store::sessions::rotate(tx, rotation).await?;
    Ok(Some(next))
}

/// Deletes refresh tokens that were used more than a minute ago, at most `limit`, and returns how many there were. One audit
/// row says how often such a token was used again.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn purge_used_tokens(
    connection: &mut PgConnection,
    limit: i64,
) -> sqlx::Result<usize> {
    let tokens = store::sessions::purge_used_tokens(connection, limit).await?;
    for token in tokens.iter().filter(|token| token.repeats > 0) {
        let mut entry = Actor::default().did(Action::RepeatRefresh, token.user_id.into());
        entry.times = Some(token.repeats);
        store::audit::write(connection, entry).await?;
    }
    Ok(tokens.len())
}

/// Follows the tokens of a session from a used one to the present one.
async fn present(
    tx: &mut Transaction,
    mut token: RefreshToken,
    present_hash: &str,
) -> sqlx::Result<RefreshToken> {
    let id = token.session_id();
    while token.digest() != present_hash {
        let Some(salt) = store::sessions::salt(tx, id, &token.digest()).await? else {
            break;
        };
        token = token.next(&salt);
    }
    Ok(token)
}

/// Ends a session of a user, and announces it. Returns false when there is none that has not ended.
pub(crate) async fn revoke(
    tx: &mut Transaction,
    cause: &Cause,
    user_id: UserId,
    id: Uuid,
) -> Result<bool, UserError> {
    if !store::sessions::revoke(tx, user_id, id).await? {
        return Ok(false);
    }
    announce(tx, cause, user_id, Some(id)).await?;
    Ok(true)
}

/// Ends all sessions of a user, and announces it.
pub(crate) async fn revoke_all(
    tx: &mut Transaction,
    cause: &Cause,
    user_id: UserId,
) -> Result<(), UserError> {
    store::sessions::revoke_all(tx, user_id, None).await?;
    announce(tx, cause, user_id, None).await
}

/// Ends all sessions of a user but one, and announces each.
pub(crate) async fn revoke_others(
    tx: &mut Transaction,
    cause: &Cause,
    user_id: UserId,
    kept: Uuid,
) -> Result<(), UserError> {
    for id in store::sessions::revoke_all(tx, user_id, Some(kept)).await? {
        announce(tx, cause, user_id, Some(id)).await?;
    }
    Ok(())
}

/// Lets this service refuse the access tokens, and the others by event. The version of the user does not rise: no state
/// that readers store has changed.
async fn announce(
    tx: &mut Transaction,
    cause: &Cause,
    user_id: UserId,
    session_id: Option<Uuid>,
) -> Result<(), UserError> {
    let revocation = Revocation {
        user_id,
        session_id,
        at: Utc::now(),
    };
    tx.revoke(vec![revocation]).await?;
    let version = store::users::version(tx, user_id).await?.unwrap_or(1);
    let revoked = SessionRevoked {
        user_id,
        session_id,
    };
    Ok(tx.enqueue(cause, version, revoked).await?)
}
