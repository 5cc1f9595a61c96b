//! The table `communications_inbox`: the position and the unread count of each user's notifications. Every function fails
//! with the database's error.

use events::{StudentId, UserId};
use sqlx::PgConnection;
use std::{collections::HashSet, fmt};
use uuid::Uuid;

/// Where a user's inbox is: the epoch of the database, and the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Positions of different epochs cannot be compared.
    pub epoch: Uuid,
    /// The last change.
    pub seq: i64,
    /// How many notifications are neither read, archived nor deleted.
    pub unread: i64,
}

/// How many notifications a user has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    /// Neither read, archived nor deleted.
    pub unread: i64,
    /// Neither archived nor deleted.
    pub total: i64,
}

/// As `X-Inbox-Seq` says it.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.simple(), self.seq)
    }
}

/// Locks the inboxes of users, and of the users who are these students, until the transaction ends; returns whose they
/// are. Every transaction that changes notifications calls it first, with all its users: only the statements that follow
/// see what the previous holder has committed.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    user_ids: &[UserId],
    student_ids: &[StudentId],
) -> sqlx::Result<HashSet<UserId>> {
    let user_ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    let student_ids: Vec<Uuid> = student_ids.iter().map(|id| id.as_uuid()).collect();
    let locked = sqlx::query!(
        r#"with asked as materialized (
               select $1 || array(select user_id from communications_recipient where student_id = any($2)) as user_ids)
           select user_ids as "user_ids!", communications_inbox_lock(user_ids) as "done?: ()" from asked"#,
        &user_ids,
        &student_ids,
    )
    .fetch_one(connection)
    .await?;
    Ok(locked.user_ids.into_iter().map(UserId::from).collect())
}

/// Returns the position of a user's inbox. A user whose notifications are all from before there was an inbox is at the
/// position 0.
pub(crate) async fn position(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Position> {
    let row = sqlx::query!(
        r#"select (select epoch from communications_epoch where database = communications_database()) as "epoch?",
                  coalesce(inbox.seq, 0) as "seq!",
                  coalesce(inbox.unread,
                           (select count(*) from communications_notification as old
                            where old.user_id = asked.user_id
                              and old.read_at is null and old.archived_at is null and old.deleted_at is null))
                      as "unread!"
           from (select $1::uuid as user_id) as asked
           left join communications_inbox as inbox on inbox.user_id = asked.user_id"#,
        user_id.as_uuid()
    )
    .fetch_one(&mut *connection)
    .await?;
    let epoch = match row.epoch {
        Some(epoch) => epoch,
        None => begin_epoch(connection).await?,
    };
    Ok(Position {
        epoch,
        seq: row.seq,
        unread: row.unread,
    })
}

/// Begins a new epoch, unless another process has begun it, and returns it.
pub(crate) async fn begin_epoch(connection: &mut PgConnection) -> sqlx::Result<Uuid> {
    sqlx::query!(
        "insert into communications_epoch as known (epoch, database) values ($1, communications_database())
         on conflict (one) do update set epoch = excluded.epoch, database = excluded.database
         where known.database <> excluded.database",
        Uuid::now_v7()
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar!("select epoch from communications_epoch")
        .fetch_one(connection)
        .await
}

/// Returns how many notifications a user has; `None`: they are all from before there was an inbox.
pub(crate) async fn count(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Count>> {
    sqlx::query_as!(
        Count,
        "select unread, total from communications_inbox where user_id = $1",
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}
