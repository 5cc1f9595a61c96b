//! Requests that a client may repeat: a request with an `Idempotency-Key` has its effect once.
//!
//! The key is taken in the transaction of the effect. A concurrent repeat waits there until the first one has committed,
//! and then finds what it made.

use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

/// The key of a request, and what the request asks for, as digests.
#[derive(Clone, Debug)]
pub struct RequestKey {
    key_hash: Vec<u8>,
    body_hash: Vec<u8>,
}

/// Whether an earlier request had the key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the first with this key: it has its effect, under the id that it named.
    First,
    /// The same request had its effect before, under this id.
    Repeat(Uuid),
    /// Another request had this key.
    Reused,
}

impl RequestKey {
    /// Makes the digests. `scope` names the route and the user, whose keys are independent of those of others.
    pub fn new(scope: &str, key: Uuid, body: &str) -> Self {
        let digest = |text: &str| {
            Sha256::new()
                .chain_update(key)
                .chain_update(text)
                .finalize()
        };
        Self {
            key_hash: digest(scope).to_vec(),
            body_hash: digest(body).to_vec(),
        }
    }

    /// Takes the key for a request whose effect has the id `result_id`. Call it before the effect, in its transaction.
    ///
    /// # Errors
    /// Fails with the database's error.
    pub async fn claim(
        &self,
        connection: &mut PgConnection,
        result_id: Uuid,
    ) -> sqlx::Result<Claim> {
        let taken = sqlx::query!(
            "insert into request_key as known (key_hash, body_hash, result_id) values ($1, $2, $3)
             on conflict (key_hash) do update
             set body_hash = excluded.body_hash, result_id = excluded.result_id, created_at = now()
             where known.created_at < now() - interval '24 hours'",
            self.key_hash,
            self.body_hash,
            result_id,
        )
        .execute(&mut *connection)
        .await?;
        if taken.rows_affected() > 0 {
            return Ok(Claim::First);
        }
        // The statement above has locked the row, so the purge cannot delete it.
        let first = sqlx::query!(
            "select body_hash, result_id from request_key where key_hash = $1",
            self.key_hash
        )
        .fetch_one(connection)
        .await?;
        if first.body_hash == self.body_hash {
            Ok(Claim::Repeat(first.result_id))
        } else {
            Ok(Claim::Reused)
        }
    }

    /// Gives the key back: the request was refused after its key was taken, and had no effect.
    ///
    /// # Errors
    /// Fails with the database's error.
    pub async fn release(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query!(
            "delete from request_key where key_hash = $1 and body_hash = $2",
            self.key_hash,
            self.body_hash
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Deletes keys of more than 24 hours ago, at most `limit`, and returns how many there were.
pub(crate) async fn purge(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from request_key where key_hash = any(array(
             select key_hash from request_key where created_at < now() - interval '24 hours'
             limit $1 for update skip locked))",
        limit
    )
    .execute(connection)
    .await?;
    Ok(purged.rows_affected())
}
