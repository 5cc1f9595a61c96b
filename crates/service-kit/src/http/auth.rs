//! The user of a request: the subject of its access token, and no other.

use crate::{
    config::{JwksConfig, TokenConfig},
    http::{Common, Problem, body::one_of},
    revocations::Revocations,
};
use anyhow::Context as _;
use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header, request::Parts},
};
use events::{Role, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind, jwk::JwkSet};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;
use utoipa::{ToSchema, openapi::Object as Schema};
use uuid::Uuid;

/// The claims of an access token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Claims {
    /// Who issued it.
    #[schema(examples("auth-service"))]
    pub iss: String,
    /// Whom it is for; absent with `JWT_COMPAT=django`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(examples("medtrack"))]
    pub aud: Option<String>,
    /// The user.
    #[schema(value_type = Uuid)]
    pub sub: UserId,
    /// The user's e-mail at the time.
    pub email: String,
    /// The user's role at the time.
    #[schema(schema_with = role_schema)]
    pub role: Role,
    /// The user's profile, when it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<Uuid>,
    /// The token itself.
    pub jti: Uuid,
    /// The session that it belongs to.
    pub sid: Uuid,
    /// When the user last gave the password, in seconds since 1970; a refresh keeps it.
    #[serde(default)]
    pub auth_time: i64,
    /// `access`; a token of any other type is refused.
    #[serde(rename = "type")]
    #[schema(examples("access"))]
    pub kind: String,
    /// Issued, in seconds since 1970.
    pub iat: i64,
    /// Not valid before, in seconds since 1970.
    pub nbf: i64,
    /// Not valid from then on, in seconds since 1970.
    pub exp: i64,
}

/// The names of all roles.
pub fn role_schema() -> Schema {
    let roles = one_of(Role::ALL.map(Role::as_str));
    roles.description(Some("What the user is.")).build()
}

/// The user who sent the request.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    /// The user.
    pub id: UserId,
    /// The user's role when the token was issued.
    pub role: Role,
    /// The session of the token.
    pub session_id: Uuid,
}

impl CurrentUser {
    /// Lets only one role through.
    ///
    /// # Errors
    /// 403 for any other.
    pub fn require(&self, role: Role) -> Result<(), Problem> {
        if self.role == role {
            return Ok(());
        }
        Err(Problem::from(Common::Forbidden).detail(format!("This needs the role {role}.")))
    }
}

impl<S> FromRequestParts<S> for CurrentUser
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let header = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Common::NoToken)?;
        let claims = Verifier::from_ref(state).verify(token).await?;
        tracing::Span::current().record("user_id", tracing::field::display(claims.sub));
        Ok(Self {
            id: claims.sub,
            role: claims.role,
            session_id: claims.sid,
        })
    }
}

/// Checks access tokens against auth-service's public keys.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    validation: Validation,
    source: Source,
    keys: RwLock<HashMap<String, DecodingKey>>,
    revocations: Revocations,
    /// When a token last made the process fetch the keys, and whether it got them. The lock lets one request fetch them.
    last_fetch: Mutex<Option<(Instant, bool)>>,
}

enum Source {
    Url(String, reqwest::Client),
    File(PathBuf),
    Given,
    /// The one secret of `JWT_COMPAT`. Its tokens name no key, so it stands under the empty name.
    SharedSecret,
}

/// A token with an unknown key makes us fetch the keys again, but not more often than this: every client can make
/// up such tokens.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// The same, while the keys cannot be fetched.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// For how long a key that auth-service has withdrawn may still be accepted.
const REFRESH: Duration = Duration::from_secs(300);
/// Failures in a row before a warning is logged: services start at the same time, and auth-service needs a second.
const PATIENCE: u32 = 5;

impl Verifier {
    /// Checks against keys that are fetched when they are needed.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn remote(config: &TokenConfig, jwks: &JwksConfig) -> anyhow::Result<Self> {
        let source = match &jwks.jwks_file {
            Some(path) => Source::File(path.clone()),
            None => {
                // auth-service is reached directly, never through a proxy of the environment.
                let client = reqwest::Client::builder()
                    .timeout(Duration::from_secs(2))
                    .no_proxy()
                    .build()?;
                Source::Url(jwks.jwks_url.clone(), client)
            }
        };
        Self::new(config, source)
    }

    /// Checks against these keys: auth-service has them itself.
    ///
    /// # Errors
    /// When a key is not an Ed25519 key.
    pub fn given(config: &TokenConfig, keys: &JwkSet) -> anyhow::Result<Self> {
        let verifier = Self::new(config, Source::Given)?;
        verifier.replace_keys(keys)?;
        Ok(verifier)
    }

    fn new(config: &TokenConfig, source: Source) -> anyhow::Result<Self> {
        let Some(secret) = config.compat.shared_secret()? else {
            let mut validation = Validation::new(Algorithm::EdDSA);
            validation.set_audience(&[&config.token_audience]);
            validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
            return Ok(Self::of(config, validation, source, HashMap::new()));
        };
        tracing::warn!(
            "JWT_COMPAT=django: each service that has JWT_SECRET_KEY can make access tokens for any user; \
             unset it for all services as soon as the old ones are gone"
        );
        // Without an audience to compare with, a token that has one is refused.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "sub"]);
        let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
        let keys = HashMap::from([(String::new(), key)]);
        Ok(Self::of(config, validation, Source::SharedSecret, keys))
    }

    fn of(
        config: &TokenConfig,
        mut validation: Validation,
        source: Source,
        keys: HashMap<String, DecodingKey>,
    ) -> Self {
        validation.set_issuer(&[&config.token_issuer]);
        validation.validate_nbf = true;
        validation.leeway = 5;
        Self(Arc::new(Inner {
            validation,
            source,
            keys: RwLock::new(keys),
            revocations: Revocations::default(),
            last_fetch: Mutex::default(),
        }))
    }

    /// Fetches the keys before the first request needs them, and again every five minutes, until the process
    /// stops. While they cannot be fetched, it tries every second.
    ///
    /// # Errors
    /// Never.
    pub async fn keep_fresh(self, stopping: CancellationToken) -> anyhow::Result<()> {
        self.fetch_every(REFRESH, stopping).await;
        Ok(())
    }

    async fn fetch_every(self, every: Duration, stopping: CancellationToken) {
        let mut failures = 0;
        loop {
            let pause = match self.fetch().await {
                Ok(()) => {
                    failures = 0;
                    every
                }
                Err(error) => {
                    failures += 1;
                    if failures == PATIENCE {
                        tracing::warn!(
                            "The keys of auth-service have not arrived: {error:#}; check JWKS_URL or JWKS_FILE"
                        );
                    }
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Checks a token.
    ///
    /// # Errors
    /// 401 when it is bad or expired, or its session was revoked; 503 when its key is not known and the keys cannot be fetched.
    pub async fn verify(&self, token: &str) -> Result<Claims, Problem> {
        let invalid = || Problem::from(Common::InvalidToken);
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        let has_shared_secret = matches!(self.0.source, Source::SharedSecret);
        let is_known_kind = self.0.validation.algorithms.contains(&header.alg)
            && header.typ.as_deref().is_some_and(is_access_token)
            // What such a header asks for must be understood (RFC 7515, 4.1.11), and the decoder does not look.
            && header.crit.is_none();
        let kid = match header.kid {
            Some(kid) if is_known_kind && !has_shared_secret => kid,
            None if is_known_kind && has_shared_secret => String::new(),
            _ => return Err(invalid()),
        };
        let key = match self.key(&kid) {
            Some(key) => key,
            None => {
                self.ask_again().await?;
                self.key(&kid).ok_or_else(invalid)?
            }
        };
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &self.0.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Common::TokenExpired.into(),
                _ => invalid(),
            })?
            .claims;
        if claims.kind != "access" || self.0.revocations.contain(claims.sub, claims.sid) {
            return Err(invalid());
        }
        Ok(claims)
    }

    /// The revoked sessions: it refuses their tokens. `messaging` fills this memory.
    pub fn revocations(&self) -> Revocations {
        self.0.revocations.clone()
    }

    /// Whether any key is known, for readiness: without one, each request with a token would be answered with 503.
    ///
    /// # Errors
    /// One readable reason when no key has come yet.
    pub fn has_keys(&self) -> Result<(), String> {
        let keys = self.0.keys.read().expect("no holder of this lock panics");
        if keys.is_empty() {
            return Err("no public key of auth-service has come yet".into());
        }
        Ok(())
    }

    fn key(&self, kid: &str) -> Option<DecodingKey> {
        self.0
            .keys
            .read()
            .expect("no holder of this lock panics")
            .get(kid)
            .cloned()
    }

    async fn ask_again(&self) -> Result<(), Problem> {
        let mut last_fetch = self.0.last_fetch.lock().await;
        let lately = last_fetch
            .filter(|(at, came)| at.elapsed() < if *came { ASK_AGAIN } else { TRY_AGAIN });
        let came = match lately {
            Some((_, came)) => came,
            None => {
                let fetched = self.fetch().await;
                if let Err(error) = &fetched {
                    tracing::warn!("The keys of auth-service cannot be fetched: {error:#}");
                }
                *last_fetch = Some((Instant::now(), fetched.is_ok()));
                fetched.is_ok()
            }
        };
        if came {
            return Ok(());
        }
        Err(Problem::from(Common::KeysAway).retry_after(2))
    }

    async fn fetch(&self) -> anyhow::Result<()> {
        let keys = match &self.0.source {
            Source::Url(url, client) => {
                client
                    .get(url)
                    .send()
                    .await?
                    .error_for_status()?
                    .json()
                    .await?
            }
            Source::File(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_str(&text)?
            }
            Source::Given | Source::SharedSecret => return Ok(()),
        };
        self.replace_keys(&keys)
    }

    /// Accepts tokens of these keys from now on, and of no others. With a shared secret, no such key is accepted.
    ///
    /// # Errors
    /// When a key has no `kid`, or cannot be used.
    pub fn replace_keys(&self, keys: &JwkSet) -> anyhow::Result<()> {
        if matches!(self.0.source, Source::SharedSecret) {
            return Ok(());
        }
        let mut map = HashMap::new();
        for jwk in &keys.keys {
            let kid = jwk.common.key_id.clone().context("a key has no kid")?;
            map.insert(kid, DecodingKey::from_jwk(jwk)?);
        }
        *self.0.keys.write().expect("no holder of this lock panics") = map;
        Ok(())
    }
}

/// Whether a header's `typ` is that of an access token (RFC 9068). Tokens of auth-service had `JWT` before.
fn is_access_token(typ: &str) -> bool {
    ["at+jwt", "application/at+jwt", "JWT"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(typ))
}

#[cfg(test)]
mod tests;
