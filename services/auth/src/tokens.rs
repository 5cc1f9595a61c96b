//! Access tokens: signed here, checked everywhere with the public keys.

use crate::{
    actions::sessions::Session,
    store::{keys, users::User},
};
use anyhow::Context as _;
use chrono::{TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{
    config::TokenConfig,
    http::{Claims, Verifier},
};
use sqlx::PgPool;
use std::{
    sync::{Arc, RwLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long an access token is valid, in seconds.
pub(crate) const ACCESS_TOKEN_TTL: i64 = 900;
/// A new key is published by all replicas well within the minute before it signs.
const RELOAD_EVERY: Duration = Duration::from_secs(15);

/// Signs access tokens, and knows the public keys.
#[derive(Clone)]
pub(crate) struct Signer {
    issuer: Arc<str>,
    audience: Arc<str>,
    keys: Arc<RwLock<Keys>>,
    /// Signs instead of the keys, with `JWT_COMPAT`.
    shared_secret: Option<EncodingKey>,
    verifier: Verifier,
}

struct Keys {
    kid: String,
    signing: EncodingKey,
    public: JwkSet,
}

impl Signer {
    /// Loads the keys.
    ///
    /// # Errors
    /// When there are none, or the database refuses.
    pub(crate) async fn load(config: &TokenConfig, pool: &PgPool) -> anyhow::Result<Self> {
        let keys = load(pool).await?;
        let verifier = Verifier::given(config, &keys.public)?;
        let shared_secret = config.compat.shared_secret()?;
        let key =
            |secret: SecretString| EncodingKey::from_secret(secret.expose_secret().as_bytes());
        Ok(Self {
            issuer: config.token_issuer.as_str().into(),
            audience: config.token_audience.as_str().into(),
            keys: Arc::new(RwLock::new(keys)),
            shared_secret: shared_secret.map(key),
            verifier,
        })
    }

    /// Checks tokens with the keys that are here.
    pub(crate) fn verifier(&self) -> Verifier {
        self.verifier.clone()
    }

    /// The public keys of the tokens that are issued.
    pub(crate) fn public_keys(&self) -> JwkSet {
        if self.shared_secret.is_some() {
            return JwkSet { keys: Vec::new() };
        }
        self.keys
            .read()
            .expect("no holder of this lock panics")
            .public
            .clone()
    }

    /// Signs an access token.
    ///
    /// # Errors
    /// When the key is unusable.
    pub(crate) fn sign(&self, user: &User, session: &Session) -> anyhow::Result<String> {
        let now = Utc::now();
        let claims = Claims {
            iss: self.issuer.to_string(),
            aud: (self.shared_secret.is_none()).then(|| self.audience.to_string()),
            sub: user.user_id(),
            email: user.email.clone(),
            role: user.role(),
            profile_id: user.profile_id,
            jti: Uuid::now_v7(),
            sid: session.id,
            auth_time: session.authenticated_at.timestamp(),
            kind: "access".into(),
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: (now + TimeDelta::seconds(ACCESS_TOKEN_TTL)).timestamp(),
        };
        if let Some(key) = &self.shared_secret {
            let header = Header::new(Algorithm::HS256);
            return Ok(jsonwebtoken::encode(&header, &claims, key)?);
        }
        let keys = self.keys.read().expect("no holder of this lock panics");
        let header = Header {
            typ: Some("at+jwt".into()),
            kid: Some(keys.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        Ok(jsonwebtoken::encode(&header, &claims, &keys.signing)?)
    }

    /// Reloads the keys until the process stops, because `keys rotate` changes them.
    ///
    /// # Errors
    /// Never: while the keys cannot be loaded, those of before remain.
    pub(crate) async fn keep_up(
        self,
        pool: PgPool,
        stopping: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                () = tokio::time::sleep(RELOAD_EVERY) => {}
            }
            let reloaded = match load(&pool).await {
                Ok(keys) => self.verifier.replace_keys(&keys.public).map(|()| keys),
                Err(error) => Err(error),
            };
            match reloaded {
                Ok(keys) => *self.keys.write().expect("no holder of this lock panics") = keys,
                Err(error) => tracing::warn!("The signing keys could not be read again: {error:#}"),
            }
        }
    }
}

async fn load(pool: &PgPool) -> anyhow::Result<Keys> {
    let stored = keys::published(&mut *pool.acquire().await?).await?;
    let mut public = Vec::with_capacity(stored.len());
    for key in &stored {
        let mut jwk = Jwk::from_encoding_key(
            &EncodingKey::from_ed_der(&key.private_key),
            Algorithm::EdDSA,
        )?;
        jwk.common.key_id = Some(key.kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        public.push(jwk);
    }
    // The very first key signs at once, because no reader has a cached set of keys yet.
    let signing = stored.iter().find(|key| key.may_sign).or(stored.last());
    let signing = signing.context("there is no signing key; try: auth-service migrate")?;
    Ok(Keys {
        kid: signing.kid.clone(),
        signing: EncodingKey::from_ed_der(&signing.private_key),
        public: JwkSet { keys: public },
    })
}
