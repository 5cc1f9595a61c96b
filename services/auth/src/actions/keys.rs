//! Signing keys. An action fails with the database's error, or when no key can be generated.

use crate::store::{
    self,
    audit::{Action, Detail, Entry, Outcome},
};
use anyhow::anyhow;
use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use sqlx::PgConnection;
use uuid::Uuid;

/// Creates the first key, when no key exists.
///
/// # Errors
/// See the module.
pub(crate) async fn ensure(connection: &mut PgConnection) -> anyhow::Result<()> {
    store::keys::lock(connection).await?;
    if store::keys::published(connection).await?.is_empty() {
        add(connection).await?;
    }
    Ok(())
}

/// Adds a key and retires the others. Tokens are signed with the new key after a minute.
///
/// # Errors
/// See the module.
pub(crate) async fn rotate(connection: &mut PgConnection) -> anyhow::Result<String> {
    store::keys::lock(connection).await?;
    let kid = add(connection).await?;
    store::keys::retire_all_but(connection, &kid).await?;
    let entry = Entry {
        actor: None,
        subject: None,
        action: Action::RotateKey,
        outcome: Outcome::Done,
        times: None,
        detail: Detail::default(),
    };
    store::audit::write(connection, entry).await?;
    Ok(kid)
}

async fn add(connection: &mut PgConnection) -> anyhow::Result<String> {
    let kid = Uuid::now_v7().to_string();
    let key = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
        .map_err(|_| anyhow!("no key could be generated"))?;
    store::keys::insert(connection, &kid, key.as_ref()).await?;
    Ok(kid)
}
