//! The outbox: events that are not published yet, and events that are published again.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// An event that is not published yet.
#[derive(Clone, Debug, Serialize)]
pub struct Unpublished {
    /// The id of the event.
    pub event_id: Uuid,
    /// Its routing key.
    pub routing_key: String,
    /// The id of what it describes.
    pub aggregate_id: Uuid,
    /// The chain that it belongs to.
    pub correlation_id: Uuid,
    /// When the change was committed.
    pub created_at: DateTime<Utc>,
    /// When the broker last had no queue for it.
    pub unroutable_at: Option<DateTime<Utc>>,
}

/// Returns the events that are not published yet, the oldest first, at most `limit`; with a time only those that were
/// committed since.
pub async fn unpublished(
    connection: &mut PgConnection,
    since: Option<DateTime<Utc>>,
    limit: i64,
) -> sqlx::Result<Vec<Unpublished>> {
    sqlx::query_as!(
        Unpublished,
        "select event_id, routing_key, aggregate_id, correlation_id, created_at, unroutable_at
         from outbox where published_at is null and ($1::timestamptz is null or created_at >= $1)
         order by created_at limit $2",
        since,
        limit
    )
    .fetch_all(connection)
    .await
}

/// Returns how many events [`unpublished`] selects without a limit.
pub async fn count_unpublished(
    connection: &mut PgConnection,
    since: Option<DateTime<Utc>>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from outbox
           where published_at is null and ($1::timestamptz is null or created_at >= $1)"#,
        since
    )
    .fetch_one(connection)
    .await
}

/// The events of an outbox that are not published yet.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// How many they are.
    pub events: i64,
    /// How many of them no queue receives.
    pub unroutable: i64,
    /// How many of them the broker refuses.
    pub refused: i64,
    /// When the first of the others was committed.
    pub oldest: Option<DateTime<Utc>>,
}

/// Returns how many events are not published yet.
pub async fn backlog(connection: &mut PgConnection) -> sqlx::Result<Backlog> {
    sqlx::query_as!(
        Backlog,
        r#"select count(*) as "events!", count(*) filter (where unroutable_at is not null) as "unroutable!",
                  count(*) filter (where refused_at is not null) as "refused!",
                  min(created_at) filter (where unroutable_at is null and refused_at is null) as oldest
           from outbox where published_at is null"#
    )
    .fetch_one(connection)
    .await
}

/// Lets the relay publish at once what no queue received before, instead of a minute after the last try. Returns how many
/// events it tries.
pub async fn retry_unroutable(connection: &mut PgConnection) -> sqlx::Result<u64> {
    let retried = sqlx::query!(
        "update outbox set unroutable_at = null, claimed_until = null
         where published_at is null and unroutable_at is not null"
    )
    .execute(connection)
    .await?;
    Ok(retried.rows_affected())
}

/// A published event.
#[derive(Clone, Debug)]
pub struct Published {
    /// The id of the event.
    pub event_id: Uuid,
    /// Its routing key.
    pub routing_key: String,
    /// When the broker confirmed it.
    pub published_at: DateTime<Utc>,
    /// Whether its text is kept: it can be published again.
    pub has_text: bool,
    /// Whether it has no text and needs none: what it is about was erased, or a later event says the same.
    pub is_obsolete: bool,
}

/// Selects published events, in the order of `published_at` and `event_id`.
#[derive(Clone, Copy, Debug)]
pub struct PublishedPage {
    /// Only events behind this place.
    pub after: (DateTime<Utc>, Uuid),
    /// Only events that were published before.
    pub until: DateTime<Utc>,
    /// The most events that are returned.
    pub limit: i64,
}

/// Returns published events, in the order of their confirms.
pub async fn published(
    connection: &mut PgConnection,
    page: &PublishedPage,
) -> sqlx::Result<Vec<Published>> {
    let (published_at, event_id) = page.after;
    sqlx::query_as!(
        Published,
        r#"select event_id, routing_key, published_at as "published_at!", envelope is not null as "has_text!",
                  envelope is null and (erased_at is not null or exists (
                      select from outbox as later
                      where later.published_at is not null and later.envelope is not null
                        and later.aggregate_id = event.aggregate_id and later.routing_key = event.routing_key
                        and later.aggregate_version >= event.aggregate_version)) as "is_obsolete!"
           from outbox as event
           where published_at >= $1 and published_at < $3 and (published_at, event_id) > ($1, $2)
           order by published_at, event_id limit $4"#,
        published_at,
        event_id,
        page.until,
        page.limit
    )
    .fetch_all(connection)
    .await
}

/// Returns when the event was published that `later` others were published after. `None`: there are not so many.
pub async fn published_before(
    connection: &mut PgConnection,
    later: i64,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"select published_at as "published_at!" from outbox where published_at is not null
           order by published_at desc offset $1 limit 1"#,
        later
    )
    .fetch_optional(connection)
    .await
}

/// Returns the time of the database's clock.
pub async fn now(connection: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(connection)
        .await
}

/// Returns those of the events that the service of this database has neither in its inbox nor parked.
pub async fn missed(connection: &mut PgConnection, event_ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select id as "id!" from unnest($1::uuid[]) as wanted (id)
           where not exists (select from inbox where event_id = id)
             and not exists (select from parked_event where event_id = id)"#,
        event_ids
    )
    .fetch_all(connection)
    .await
}

/// Marks published events, so that the relay of this service publishes them once more, with the same id and text. Returns
/// how many it marked: an event whose text is gone stays as it is.
pub async fn publish_again(connection: &mut PgConnection, event_ids: &[Uuid]) -> sqlx::Result<u64> {
    // The relay looks for unpublished rows from a lower bound of `created_at` on, which is never far behind.
    let marked = sqlx::query!(
        "update outbox set published_at = null, created_at = now(), claimed_until = null
         where event_id = any($1) and published_at is not null and envelope is not null",
        event_ids
    )
    .execute(connection)
    .await?;
    Ok(marked.rows_affected())
}
