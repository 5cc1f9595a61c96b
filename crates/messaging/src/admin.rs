//! What an operator asks of a service's database, and has done there: by the command `medtrack`, and by nobody else.

use crate::{
    Broker, BrokerError,
    broker::{self, CALL, within},
    outbox::Outgoing,
    parked::Parked,
    relay, topology,
};
use chrono::{DateTime, Utc};
use events::{EventId, topology::EXCHANGE};
use futures_util::StreamExt as _;
use lapin::{
    message::Delivery,
    options::{BasicConsumeOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// ParkedFilter parked events are meant; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct ParkedFilter {
    /// `waiting` or `dead`.
    pub state: Option<String>,
    /// The routing key it was published with.
    pub routing_key: Option<String>,
    /// The cause in one word.
    pub kind: Option<String>,
    /// Only these.
    pub event_ids: Option<Vec<Uuid>>,
}

/// Parked events, the oldest first, at most `limit`.
///
/// # Errors
/// When the database refuses.
pub async fn parked(
    connection: &mut PgConnection,
    filter: &ParkedFilter,
    limit: i64,
) -> sqlx::Result<Vec<Parked>> {
    sqlx::query_as!(
        Parked,
        "select event_id, state, routing_key, kind, reason, waits_for, attempts, deliveries, due_at, first_at, last_at
         from parked_event
         where ($1::text is null or state = $1)
           and ($2::text is null or routing_key = $2)
           and ($3::text is null or kind = $3)
           and ($4::uuid[] is null or event_id = any($4))
         order by first_at limit $5",
        filter.state,
        filter.routing_key,
        filter.kind,
        filter.event_ids.as_deref(),
        limit
    )
    .fetch_all(connection)
    .await
}

/// The body of a parked event, byte for byte.
///
/// # Errors
/// When the database refuses.
pub async fn body(connection: &mut PgConnection, event_id: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select body from parked_event where event_id = $1",
        event_id
    )
    .fetch_optional(connection)
    .await
}

/// Has parked events tried again, now and with all their attempts; they keep their ids. The consumer finds them
/// within a second. Tells which they were: what was erased cannot be tried.
///
/// # Errors
/// When the database refuses.
pub async fn replay(connection: &mut PgConnection, event_ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update parked_event set state = 'waiting', attempts = 0, due_at = now()
         where event_id = any($1) and kind <> 'erased'
         returning event_id",
        event_ids
    )
    .fetch_all(connection)
    .await
}

/// Forgets parked events for good: they are never handled. Tells which they were.
///
/// # Errors
/// When the database refuses.
pub async fn discard(connection: &mut PgConnection, event_ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "delete from parked_event where event_id = any($1) returning event_id",
        event_ids
    )
    .fetch_all(connection)
    .await
}

/// An event that is not published yet.
#[derive(Clone, Debug, Serialize)]
pub struct Unpublished {
    /// Its identity.
    pub event_id: Uuid,
    /// Its routing key.
    pub routing_key: String,
    /// What it is about.
    pub aggregate_id: Uuid,
    /// The chain it belongs to.
    pub correlation_id: Uuid,
    /// When the change was made.
    pub created_at: DateTime<Utc>,
    /// When the broker last had no queue for it.
    pub unroutable_at: Option<DateTime<Utc>>,
}

/// Events that are not published yet, the oldest first, at most `limit`.
///
/// # Errors
/// When the database refuses.
pub async fn unpublished(
    connection: &mut PgConnection,
    limit: i64,
) -> sqlx::Result<Vec<Unpublished>> {
    sqlx::query_as!(
        Unpublished,
        "select event_id, routing_key, aggregate_id, correlation_id, created_at, unroutable_at
         from outbox where published_at is null order by created_at limit $1",
        limit
    )
    .fetch_all(connection)
    .await
}

/// Publishes an event by hand, and awaits the broker's confirm. False when no queue wanted it.
///
/// # Errors
/// When the broker does not answer, or does not take it.
pub async fn publish(
    broker: &Broker,
    routing_key: &str,
    event_id: EventId,
    correlation_id: Uuid,
    envelope: String,
) -> Result<bool, BrokerError> {
    let connection = broker.connect("publish by hand").await?;
    let channel = broker::channel(&connection).await?;
    within(
        "selecting confirms",
        CALL,
        channel.confirm_select(ConfirmSelectOptions::default()),
    )
    .await?;
    let event = Outgoing {
        event_id,
        routing_key: routing_key.to_owned(),
        correlation_id,
        envelope,
    };
    let receipt = within(
        "publishing",
        CALL,
        relay::publish_batch(&channel, std::slice::from_ref(&event), broker),
    )
    .await?;
    if !receipt.published.contains(&event_id) && !receipt.returned.contains(&event_id) {
        return Err(BrokerError::Closed);
    }
    Ok(receipt.published.contains(&event_id) && events::topology::is_routed(routing_key))
}

/// How many messages are ready in queues, and how many consumers they have, now: the management API's numbers are
/// some seconds old. `None` where there is no such queue.
///
/// # Errors
/// When the broker does not answer.
pub async fn depths(
    broker: &Broker,
    queues: &[&str],
) -> Result<Vec<Option<(u32, u32)>>, BrokerError> {
    let connection = broker.connect("look").await?;
    let mut depths = Vec::with_capacity(queues.len());
    for queue in queues {
        // A missing queue closes the channel.
        let channel = broker::channel(&connection).await?;
        depths.push(match topology::depth(&channel, queue).await {
            Ok(depth) => Some((depth.ready, depth.consumers)),
            Err(error) if connection.status().connected() => {
                tracing::debug!("{queue}: {error}");
                None
            }
            Err(error) => return Err(error),
        });
    }
    Ok(depths)
}

/// Listens to everything that is published under keys that `patterns` select, with a queue of its own that goes
/// with the connection, until that is lost. `heard` gets the routing key and the body.
///
/// # Errors
/// When the connection cannot be made, or is lost.
pub async fn watch(
    broker: &Broker,
    patterns: &[String],
    mut heard: impl FnMut(&str, &[u8]),
) -> Result<(), BrokerError> {
    let connection = broker.connect("watch").await?;
    let channel = broker::channel(&connection).await?;
    let own = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..Default::default()
    };
    let queue = within(
        "declaring a queue",
        CALL,
        channel.queue_declare("".into(), own, FieldTable::default()),
    )
    .await?;
    for pattern in patterns {
        let bind = channel.queue_bind(
            queue.name().clone(),
            EXCHANGE.into(),
            pattern.as_str().into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        within("binding a queue", CALL, bind).await?;
    }
    let options = BasicConsumeOptions {
        no_ack: true,
        exclusive: true,
        ..Default::default()
    };
    let consume = channel.basic_consume(
        queue.name().clone(),
        "".into(),
        options,
        FieldTable::default(),
    );
    let mut deliveries = within("subscribing", CALL, consume).await?;
    while let Some(delivery) = deliveries.next().await {
        let Delivery {
            routing_key, data, ..
        } = delivery.map_err(BrokerError::Amqp)?;
        heard(routing_key.as_str(), &data);
    }
    Err(BrokerError::Closed)
}
