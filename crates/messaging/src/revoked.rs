//! Revoked sessions: the table `revoked`, and the memory of each process of an API.
//!
//! An access token is valid for a quarter of an hour. auth-service revokes sessions earlier, and says so in
//! `auth.session.revoked` and `auth.user.deleted`. One consumer process receives such an event, but other processes
//! answer the requests: so the event becomes a row, and every process of an API reads the new rows once a second.
//! auth-service writes the same row in the transaction that revokes.

use crate::{Failure, Message, Transaction};
use chrono::Utc;
use events::auth::{SessionRevoked, UserDeleted};
use service_kit::{
    Process,
    metrics::finished,
    revocations::{NEEDED, Revocation, Revocations},
};
use sqlx::{PgConnection, PgPool};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Span;

/// The pause between two looks at the table.
const EVERY: Duration = Duration::from_secs(1);
/// The time limit of a look: a connection that is lost must not keep the next look waiting.
const LOOK: Duration = Duration::from_secs(3);

impl Transaction {
    /// Revokes sessions: once this transaction has committed, this process refuses their access tokens at once, and every
    /// other process of the service within a second. The other services learn it from the event, which the caller
    /// writes. A revocation of all sessions leaves those that begin in the millisecond of `at` or later, so
    /// that the same transaction may open a new one.
    ///
    /// # Errors
    /// Fails with the database's error.
    pub async fn revoke(&mut self, revocations: Vec<Revocation>) -> sqlx::Result<()> {
        insert(self, &revocations).await?;
        if let Some(memory) = self.revocations() {
            self.after_commit_in(Span::current(), move || {
                memory.add(&revocations, Utc::now());
            });
        }
        Ok(())
    }
}

/// The handler of `auth.session.revoked` of every service that checks access tokens.
///
/// # Errors
/// Fails with the database's error.
pub async fn on_session_revoked(
    tx: &mut Transaction,
    events: &[Message<SessionRevoked>],
) -> Result<(), Failure> {
    let revocation = |event: &Message<SessionRevoked>| Revocation {
        user_id: event.payload.user_id,
        session_id: event.payload.session_id,
        at: event.meta.occurred_at(Utc::now()),
    };
    Ok(tx.revoke(events.iter().map(revocation).collect()).await?)
}

/// Revokes all sessions of deleted users.
///
/// # Errors
/// Fails with the database's error.
pub async fn revoke_deleted(
    tx: &mut Transaction,
    events: &[Message<UserDeleted>],
) -> sqlx::Result<()> {
    let revocation = |event: &Message<UserDeleted>| Revocation {
        user_id: event.payload.user_id,
        session_id: None,
        at: event.meta.occurred_at(Utc::now()),
    };
    tx.revoke(events.iter().map(revocation).collect()).await
}

/// Fills the memory of a process that checks access tokens: returns when it holds all that is in the table, so that the
/// process is not ready before, and reads the new rows once a second until the process stops. While the database does not
/// answer, the memory keeps what it holds.
pub async fn follow_revocations(process: &Process, pool: PgPool, memory: Revocations) {
    let mut reader = Reader {
        pool,
        memory,
        read_to: 0,
        failing: false,
    };
    let stopping = process.stopping();
    while !reader.look().await {
        if pause(&stopping).await.is_none() {
            return;
        }
    }
    process.spawn("revocations", async move {
        while pause(&stopping).await.is_some() {
            reader.look().await;
        }
        Ok(())
    });
}

/// Returns `None` when the process stops.
async fn pause(stopping: &CancellationToken) -> Option<()> {
    stopping
        .run_until_cancelled(tokio::time::sleep(EVERY))
        .await
}

struct Reader {
    pool: PgPool,
    memory: Revocations,
    /// Every row of an older transaction has been read.
    read_to: i64,
    failing: bool,
}

impl Reader {
    /// Reads the new rows. Returns whether it could.
    async fn look(&mut self) -> bool {
        let cause = match timeout(LOOK, self.read()).await {
            Ok(Ok(())) => {
                finished("revocations");
                self.failing = false;
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", LOOK.as_secs()),
        };
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!("What was revoked cannot be read, and is tried every second: {cause}");
        }
        false
    }

    async fn read(&mut self) -> sqlx::Result<()> {
        let rows = sqlx::query!(
            // What is open now may commit later: the next look begins with it.
            r#"select open.oldest as "oldest!", user_id as "user_id?", session_id, revoked_at as "revoked_at?"
               from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest) as open
               left join revoked on written_by >= $1"#,
            self.read_to
        )
        .fetch_all(&self.pool)
        .await?;
        let revocations: Vec<_> = rows
            .iter()
            .filter_map(|row| {
                Some(Revocation {
                    user_id: row.user_id?.into(),
                    session_id: row.session_id,
                    at: row.revoked_at?,
                })
            })
            .collect();
        self.memory.add(&revocations, Utc::now());
        self.read_to = rows.first().map_or(self.read_to, |row| row.oldest);
        Ok(())
    }
}

async fn insert(connection: &mut PgConnection, revocations: &[Revocation]) -> sqlx::Result<()> {
    let users: Vec<_> = revocations
        .iter()
        .map(|row| row.user_id.as_uuid())
        .collect();
    let sessions: Vec<_> = revocations.iter().map(|row| row.session_id).collect();
    let times: Vec<_> = revocations.iter().map(|row| row.at).collect();
    sqlx::query!(
        "insert into revoked (user_id, session_id, revoked_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[])",
        &users,
        &sessions as &[Option<uuid::Uuid>],
        &times,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the rows that are not needed any more, at most `limit`.
pub(crate) async fn purge(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from revoked where id = any(array(select id from revoked where revoked_at < $1 limit $2))",
        Utc::now() - NEEDED,
        limit
    )
    .execute(connection)
    .await?;
    Ok(purged.rows_affected())
}

#[cfg(test)]
mod tests;
