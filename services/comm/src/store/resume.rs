//! What has changed in inboxes since the positions that clients know. Every function fails with the database's error.

use super::{
    inboxes::{self, Position},
    notifications::Notification,
};
use chrono::{DateTime, Utc};
use events::UserId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// The position that a client knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    /// The user.
    pub user_id: UserId,
    /// The epoch of the position.
    pub epoch: Uuid,
    /// The last change that the client knows.
    pub seq: i64,
}

/// What brings a client to the present state.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The position afterwards.
    pub position: Position,
    /// The client must load the inbox anew: what it knows is of another database, or deletions that it does not know are
    /// no longer stored. There are no items then.
    pub reset: bool,
    /// The notifications that have changed or are new, as they are now, in the order of their changes.
    pub items: Vec<Notification>,
    /// The notifications that were deleted.
    pub gone: Vec<Uuid>,
}

/// Returns what has changed for each of these clients, in their order, by one statement: the rows and the positions are
/// of one state.
pub(crate) async fn changes_since(
    connection: &mut PgConnection,
    since: &[Since],
) -> sqlx::Result<Vec<Changes>> {
    let epoch = match rows(connection, since).await? {
        (Some(_), changes) => return Ok(changes),
        (None, _) => inboxes::begin_epoch(connection).await?,
    };
    let (_, mut changes) = rows(connection, since).await?;
    changes
        .iter_mut()
        .for_each(|of_client| of_client.position.epoch = epoch);
    Ok(changes)
}

/// Returns the epoch of this database, when it has begun, and the changes.
async fn rows(
    connection: &mut PgConnection,
    since: &[Since],
) -> sqlx::Result<(Option<Uuid>, Vec<Changes>)> {
    let user_ids: Vec<Uuid> = since
        .iter()
        .map(|client| client.user_id.as_uuid())
        .collect();
    let epochs: Vec<Uuid> = since.iter().map(|client| client.epoch).collect();
    let seqs: Vec<i64> = since.iter().map(|client| client.seq).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"with noted as materialized (
               select (select epoch from communications_epoch where database = communications_database()) as epoch),
           client as materialized (
               select asked.number, asked.user_id, asked.seq as since, noted.epoch, coalesce(inbox.seq, 0) as seq,
                      coalesce(inbox.unread,
                               (select count(*) from communications_notification as old
                                where old.user_id = asked.user_id
                                  and old.read_at is null and old.archived_at is null and old.deleted_at is null))
                          as unread,
                      (noted.epoch is distinct from asked.epoch or asked.seq > coalesce(inbox.seq, 0)
                       or asked.seq < coalesce(inbox.purged_seq, 0)) as reset
               from unnest($1::uuid[], $2::uuid[], $3::bigint[])
                        with ordinality as asked (user_id, epoch, seq, number)
               cross join noted
               left join communications_inbox as inbox on inbox.user_id = asked.user_id)
           select client.number as "number!", client.user_id as "user_id!", client.epoch as "epoch?",
                  client.seq as "seq!", client.unread as "unread!", client.reset as "reset!",
                  changed.id as "id?", changed.deleted_at is not null as "is_gone!", changed.type as "channel?",
                  changed.title as "title?", changed.content as "content?", changed.related_object_type,
                  changed.related_object_id, changed.created_at as "created_at?", changed.sent_at,
                  changed.status as "status?", changed.attempts as "attempts?", changed.last_error,
                  changed.metadata as "metadata?", changed.read_at, changed.archived_at,
                  changed.kind as "kind?", changed.arguments,
                  coalesce(changed.occurred_at, changed.created_at) as happened_at
           from client
           left join communications_notification as changed
               on changed.user_id = client.user_id and changed.changed_seq > client.since and not client.reset
           order by client.number, changed.changed_seq, changed.id"#,
        &user_ids,
        &epochs,
        &seqs,
    )
    .fetch_all(connection)
    .await?;
    let epoch = rows.first().and_then(|row| row.epoch);
    let mut changes: Vec<Changes> = Vec::with_capacity(since.len());
    let mut number = 0;
    for row in rows {
        if row.number != number {
            number = row.number;
            changes.push(row.client());
        }
        if let Some(client) = changes.last_mut() {
            row.add_to(client);
        }
    }
    Ok((epoch, changes))
}

/// A client, and one of its changes.
struct Row {
    number: i64,
    user_id: Uuid,
    epoch: Option<Uuid>,
    seq: i64,
    unread: i64,
    reset: bool,
    id: Option<Uuid>,
    is_gone: bool,
    channel: Option<String>,
    title: Option<String>,
    content: Option<String>,
    related_object_type: Option<String>,
    related_object_id: Option<Uuid>,
    created_at: Option<DateTime<Utc>>,
    sent_at: Option<DateTime<Utc>>,
    status: Option<String>,
    attempts: Option<i32>,
    last_error: Option<String>,
    metadata: Option<Value>,
    read_at: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
    kind: Option<String>,
    arguments: Option<Value>,
    happened_at: Option<DateTime<Utc>>,
}

impl Row {
    fn client(&self) -> Changes {
        Changes {
            position: Position {
                epoch: self.epoch.unwrap_or_default(),
                seq: self.seq,
                unread: self.unread,
            },
            reset: self.reset,
            items: Vec::new(),
            gone: Vec::new(),
        }
    }

    fn add_to(self, changes: &mut Changes) {
        match self.id {
            None => {}
            Some(id) if self.is_gone => changes.gone.push(id),
            Some(id) => changes.items.extend(self.notification(id)),
        }
    }

    fn notification(self, id: Uuid) -> Option<Notification> {
        Some(Notification {
            id,
            user_id: self.user_id,
            channel: self.channel?,
            title: self.title?,
            content: self.content?,
            related_object_type: self.related_object_type,
            related_object_id: self.related_object_id,
            created_at: self.created_at?,
            sent_at: self.sent_at,
            status: self.status?,
            attempts: self.attempts?,
            last_error: self.last_error,
            metadata: self.metadata?,
            read_at: self.read_at,
            archived_at: self.archived_at,
            happened_at: self.happened_at?,
            kind: self.kind?,
            arguments: self.arguments,
        })
    }
}
