//! The configuration of each role of a service: which sections it has.

use super::{
    DatabaseConfig, EnvironmentConfig, HttpConfig, InternalConfig, JwksConfig, LogConfig,
    TokenConfig,
};

/// Configuration of `serve`. `Own` holds the sections that only one service has.
#[derive(Clone, Debug, clap::Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct ServeConfig<Own: OwnConfig> {
    #[command(flatten)]
    pub environment: EnvironmentConfig,
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub own: Own,
    #[command(flatten)]
    pub internal: InternalConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

/// The sections of a service that the others do not have.
pub trait OwnConfig: clap::Args {
    /// Refuses what must not be used in this environment.
    ///
    /// # Errors
    /// When a secret is well known and the environment is production.
    fn check(&self, _environment: &EnvironmentConfig) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The sections of a service that checks tokens with the public keys of auth-service, and has no others.
#[derive(Clone, Debug, clap::Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct VerifierConfig {
    #[command(flatten)]
    pub token: TokenConfig,
    #[command(flatten)]
    pub jwks: JwksConfig,
}

impl OwnConfig for VerifierConfig {}

/// Configuration of `migrate`.
#[derive(Clone, Debug, clap::Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct MigrateConfig {
    #[command(flatten)]
    pub environment: EnvironmentConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

/// Configuration of a service's own command: `Own` holds its arguments.
#[derive(Clone, Debug, clap::Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct CommandConfig<Own: clap::Args> {
    #[command(flatten)]
    pub own: Own,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

/// The arguments of a command that has none of its own.
#[derive(Clone, Debug, clap::Args)]
pub struct NoArguments {}
