//! Access tokens: reads them, and signs such as auth-service would not issue.
#![expect(
    clippy::disallowed_methods,
    reason = "test crate: no schema of its own to check against"
)]

use crate::{Database, User};
use jsonwebtoken::{Algorithm, EncodingKey, Header, dangerous};
use serde_json::Value;
use uuid::Uuid;

/// The claims of a token, not checked.
///
/// # Panics
/// When it is no token.
pub fn claims(token: &str) -> Value {
    dangerous::insecure_decode_claims(token).expect("a token has claims")
}

/// The name of the key that a token was signed with.
///
/// # Panics
/// When it is no token, or names no key.
pub fn key_of(token: &str) -> String {
    let header = jsonwebtoken::decode_header(token).expect("a token has a header");
    header.kid.expect("each token names its key")
}

/// The session of a user's access token.
///
/// # Panics
/// When the token names none.
pub fn session_of(user: &User) -> Uuid {
    let claims = claims(&user.token);
    let session_id = claims["sid"].as_str().and_then(|id| id.parse().ok());
    session_id.expect("each token names its session")
}

/// Signs with a key of auth-service.
pub struct Signer {
    kid: String,
    key: EncodingKey,
}

impl Signer {
    /// Reads the key from auth-service's database.
    ///
    /// # Panics
    /// When there is none.
    pub async fn of(auth: &Database) -> Self {
        let (kid, key): (String, Vec<u8>) = sqlx::query_as(
            "select kid, private_key from users_signing_key where retired_at is null limit 1",
        )
        .fetch_one(&auth.pool)
        .await
        .expect("`migrate` makes a key");
        Self {
            kid,
            key: EncodingKey::from_ed_der(&key),
        }
    }

    /// Signs any claims.
    ///
    /// # Panics
    /// When the key is unusable.
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header {
            typ: Some("at+jwt".into()),
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &self.key).expect("the key signs")
    }

    /// Signs the claims of this token with one of them changed.
    pub fn with(&self, token: &str, name: &str, value: impl Into<Value>) -> String {
        let mut claims = claims(token);
        claims[name] = value.into();
        self.sign(&claims)
    }
}
