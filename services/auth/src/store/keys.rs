//! The table `users_signing_key`. Every function fails with the database's error.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A row of the table.
pub(crate) struct StoredKey {
    /// Claim `kid` of its tokens.
    pub kid: String,
    /// Ed25519, PKCS#8 DER.
    pub private_key: Vec<u8>,
    /// Whether all replicas have published it by now, and it is not retired.
    pub may_sign: bool,
}

/// Returns the keys whose tokens are still accepted, the newest first.
pub(crate) async fn published(connection: &mut PgConnection) -> sqlx::Result<Vec<StoredKey>> {
    sqlx::query_as!(
        StoredKey,
        r#"select kid, private_key,
                  (retired_at is null or retired_at > now()) and created_at < now() - interval '1 minute' as "may_sign!"
           from users_signing_key
           where retired_at is null or retired_at > now() - interval '1 hour'
           order by created_at desc"#
    )
    .fetch_all(connection)
    .await
}

/// What people may know of a key.
pub(crate) struct KeyTimes {
    /// Claim `kid` of its tokens.
    pub kid: String,
    /// When the key was made.
    pub created_at: DateTime<Utc>,
    /// From then on other keys sign.
    pub retired_at: Option<DateTime<Utc>>,
    /// Whether all replicas have published it by now, and it is not retired.
    pub may_sign: bool,
    /// Whether its tokens are still accepted.
    pub is_published: bool,
}

/// Returns all keys, without their private parts, the newest first.
pub(crate) async fn list(connection: &mut PgConnection) -> sqlx::Result<Vec<KeyTimes>> {
    sqlx::query_as!(
        KeyTimes,
        r#"select kid, created_at, retired_at,
                  (retired_at is null or retired_at > now()) and created_at < now() - interval '1 minute' as "may_sign!",
                  (retired_at is null or retired_at > now() - interval '1 hour') as "is_published!"
           from users_signing_key order by created_at desc"#
    )
    .fetch_all(connection)
    .await
}

/// Inserts a key.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    kid: &str,
    private_key: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into users_signing_key (kid, private_key) values ($1, $2)",
        kid,
        private_key
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Retires all keys but one. They sign until that one does, after a minute.
pub(crate) async fn retire_all_but(connection: &mut PgConnection, kid: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update users_signing_key set retired_at = now() + interval '1 minute'
         where kid <> $1 and retired_at is null",
        kid
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a lock until the transaction ends, so that two processes do not create the first key at the same time.
pub(crate) async fn lock(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("lock table users_signing_key in share row exclusive mode")
        .execute(connection)
        .await?;
    Ok(())
}
