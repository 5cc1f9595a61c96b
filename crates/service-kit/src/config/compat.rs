//! Access tokens as the services that this system replaces read them.

use super::secret;
use anyhow::ensure;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;

/// RFC 7518 §3.2 asks for as many bytes as the hash has.
const LEAST_BYTES: usize = 32;

/// Whether access tokens are those of the old services. All services must have the same setting.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Tokens")]
pub struct CompatConfig {
    /// `django` signs access tokens as the old services expect: HS256 with the secret that all of them share, and no `aud`.
    /// Every service that has the secret can then make tokens for any user.
    #[arg(long, env = "JWT_COMPAT", default_value = "off", value_name = "NAME")]
    pub jwt_compat: JwtCompat,

    /// The shared secret of `JWT_COMPAT=django`, 32 bytes or more.
    #[arg(
        long,
        env = "JWT_SECRET_KEY",
        hide_env_values = true,
        value_name = "TEXT"
    )]
    pub jwt_secret_key: Option<SecretString>,

    /// File that holds the shared secret, instead of JWT_SECRET_KEY.
    #[arg(long, env = "JWT_SECRET_KEY_FILE", value_name = "PATH")]
    pub jwt_secret_key_file: Option<PathBuf>,
}

/// How access tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum JwtCompat {
    /// With a key that only auth-service has.
    #[default]
    Off,
    /// With a secret that the old services share.
    Django,
}

impl CompatConfig {
    /// The shared secret; `None` when access tokens are signed with a key of auth-service.
    ///
    /// # Errors
    /// When the secret is missing, cannot be read, or is too short.
    pub fn shared_secret(&self) -> anyhow::Result<Option<SecretString>> {
        if self.jwt_compat == JwtCompat::Off {
            return Ok(None);
        }
        let value = self.jwt_secret_key.as_ref();
        // docker-compose gives an unset variable as an empty text.
        let value = value.filter(|value| !value.expose_secret().is_empty());
        let secret = secret("JWT_SECRET_KEY", value, self.jwt_secret_key_file.as_deref())?;
        ensure!(
            secret.expose_secret().len() >= LEAST_BYTES,
            "JWT_SECRET_KEY is shorter than {LEAST_BYTES} bytes; set the same longer one for all services"
        );
        Ok(Some(secret))
    }
}
