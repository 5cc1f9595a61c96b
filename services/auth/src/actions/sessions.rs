//! Sessions.

use crate::store::{self, sessions::NewSession};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Days, Utc};
use events::UserId;
use rand::RngExt as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

/// The longest life of a session.
pub(crate) const SESSION_TTL: Days = Days::new(30);

/// An open session.
pub(crate) struct Opened {
    /// The id of the session.
    pub id: Uuid,
    /// Its refresh token: 256 random bits. Only its digest is stored.
    pub refresh_token: String,
}

/// Opens a session.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn open(
    connection: &mut PgConnection,
    user_id: UserId,
    client_info: Value,
    now: DateTime<Utc>,
) -> sqlx::Result<Opened> {
    let id = Uuid::now_v7();
    let refresh_token = BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>());
    let new = NewSession {
        id,
        user_id,
        refresh_token_hash: digest(&refresh_token),
        client_info,
        expires_at: now + SESSION_TTL,
    };
    store::sessions::insert(connection, new).await?;
    Ok(Opened { id, refresh_token })
}

/// SHA-256 in hex, for random texts only: others could be found by trying.
fn digest(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
