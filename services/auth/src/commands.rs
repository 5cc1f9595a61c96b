//! The commands for operators. Every command fails when the database does not answer.

pub(crate) mod keys;

use crate::{
    SERVICE, actions,
    config::CreateAdmin,
    domain::{Email, Locale, Password, PersonName},
    passwords::Hasher,
    store::users::NewUser,
};
use anyhow::Context as _;
use events::Role;
use messaging::{Cause, Outbox};
use service_kit::{
    Process,
    config::{CommandConfig, MigrateConfig, NoArguments},
    database,
};
use std::io::Read as _;
use uuid::Uuid;

/// Makes an administrator. A relay publishes the event when it next sweeps the outbox.
///
/// # Errors
/// When the e-mail or the password is refused, or another user has the e-mail.
pub(crate) async fn create_admin(
    config: CommandConfig<CreateAdmin>,
    process: Process,
) -> anyhow::Result<()> {
    config.own.password.apply();
    let email = Email::parse(&config.own.email)?;
    let text = match &config.own.password_file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?,
        None => {
            let mut text = String::new();
            std::io::stdin()
                .take(4096)
                .read_to_string(&mut text)
                .context("cannot read the password")?;
            text
        }
    };
    let password = Password::chosen(text.trim_end_matches(['\r', '\n']), &[email.local_part()])
        .context("password")?;
    let new = NewUser {
        email,
        password_hash: Hasher::new().hash(password).await?,
        first_name: PersonName::default(),
        last_name: PersonName::default(),
        phone: None,
        role: Role::Admin,
        locale: Locale::default(),
        // Whoever runs the command on the server answers for it.
        email_verified: true,
    };
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let mut tx = Outbox::without_relay(pool, SERVICE.name).begin().await?;
    let user = actions::admin::create_admin(&mut tx, &Cause::root(Uuid::now_v7()), &new).await?;
    tx.commit().await?;
    tracing::info!(user_id = %user.id, "Administrator created");
    Ok(())
}

/// Adds a signing key and retires the others.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn rotate_keys(
    config: CommandConfig<NoArguments>,
    process: Process,
) -> anyhow::Result<()> {
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let mut tx = pool.begin().await?;
    let kid = actions::keys::rotate(&mut tx).await?;
    tx.commit().await?;
    tracing::info!(
        kid,
        "New signing key; it signs a minute from now, and tokens of the old key stay valid until they expire"
    );
    Ok(())
}

/// Brings the database to this version's schema, and makes the first signing key.
///
/// # Errors
/// Fails when a migration fails, or the database does not answer.
pub(crate) async fn migrate(config: MigrateConfig, process: Process) -> anyhow::Result<()> {
    SERVICE.migrate(config.clone(), process.clone()).await?;
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let mut tx = pool.begin().await?;
    actions::keys::ensure(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}
