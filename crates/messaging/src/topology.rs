//! The exchange and the queues, as the broker must have them.
//!
//! Every process declares all of [`events::topology`] whenever it connects. A declaration is idempotent, and an event
//! that is published before a consumer's first start is kept for it.

use crate::broker::{self, Broker, BrokerError, CALL, within};
use events::{
    legacy,
    topology::{DELIVERY_LIMIT, EXCHANGE, Queue, queues},
};
use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use serde_json::{Value, json};

/// Declares everything on `broker`.
///
/// # Errors
/// Fails when the broker does not answer, when the login may not declare, or when a queue of the same name has other
/// properties.
pub async fn apply(broker: &Broker) -> Result<(), BrokerError> {
    let connection = broker.connect("topology").await?;
    declare_all(&broker::channel(&connection).await?, broker).await
}

/// Declares everything. With a login that may not declare, checks that everything exists.
pub(crate) async fn ensure(connection: &Connection, broker: &Broker) -> Result<(), BrokerError> {
    match declare_all(&broker::channel(connection).await?, broker).await {
        Err(error) if error.is_refused() => {
            check_all(&broker::channel(connection).await?).await?;
            tracing::info!(
                "RabbitMQ login may not declare: the exchange and the queues exist, the bindings are not checked"
            );
            Ok(())
        }
        declared => declared,
    }
}

async fn declare_all(channel: &Channel, broker: &Broker) -> Result<(), BrokerError> {
    declare_exchange(
        channel,
        EXCHANGE,
        ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        },
    )
    .await?;
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    for queue in queues() {
        declare_queue(channel, queue.crashed, durable, table(&crashed_arguments())).await?;
        declare_queue(channel, queue.name, durable, table(&arguments(queue))).await?;
        bind_all(channel, queue).await?;
    }
    let Some(old) = broker.compat_exchange() else {
        return Ok(());
    };
    declare_exchange(
        channel,
        old,
        ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        },
    )
    .await?;
    for queue in queues() {
        for key in legacy::keys(queue) {
            bind(channel, queue, old, key).await?;
        }
    }
    Ok(())
}

/// Binds a queue with all its patterns, also where it is bound already: the broker does not tell. Returns false when the
/// login may not bind it.
pub(crate) async fn bind_again(
    connection: &Connection,
    queue: &Queue,
) -> Result<bool, BrokerError> {
    // A refusal closes the channel.
    let channel = broker::channel(connection).await?;
    match bind_all(&channel, queue).await {
        Ok(()) => {
            let close = channel.close(200, "done".into());
            within("closing a channel", CALL, close).await?;
            Ok(true)
        }
        Err(error) if error.is_refused() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn bind_all(channel: &Channel, queue: &Queue) -> Result<(), BrokerError> {
    for pattern in queue.patterns {
        bind(channel, queue, EXCHANGE, pattern).await?;
    }
    Ok(())
}

async fn bind(
    channel: &Channel,
    queue: &Queue,
    exchange: &str,
    pattern: &str,
) -> Result<(), BrokerError> {
    let bind = channel.queue_bind(
        queue.name.into(),
        exchange.into(),
        pattern.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    within("binding a queue", CALL, bind).await
}

async fn check_all(channel: &Channel) -> Result<(), BrokerError> {
    declare_exchange(
        channel,
        EXCHANGE,
        ExchangeDeclareOptions {
            passive: true,
            ..Default::default()
        },
    )
    .await?;
    let passive = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    for queue in queues() {
        declare_queue(channel, queue.crashed, passive, FieldTable::default()).await?;
        declare_queue(channel, queue.name, passive, FieldTable::default()).await?;
    }
    Ok(())
}

/// No arguments: a foreign publisher that declares the exchange plainly must not be refused.
async fn declare_exchange(
    channel: &Channel,
    name: &str,
    options: ExchangeDeclareOptions,
) -> Result<(), BrokerError> {
    let declare = channel.exchange_declare(
        name.into(),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    within("declaring the exchange", CALL, declare).await
}

async fn declare_queue(
    channel: &Channel,
    name: &str,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> Result<lapin::Queue, BrokerError> {
    within(
        "declaring a queue",
        CALL,
        channel.queue_declare(name.into(), options, arguments),
    )
    .await
}

/// The state of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Messages that no consumer has received yet.
    pub ready: u32,
    /// Consumers that are subscribed.
    pub consumers: u32,
}

/// Counts the messages and the consumers of a queue. A missing queue closes the channel.
pub(crate) async fn depth(channel: &Channel, name: &str) -> Result<Depth, BrokerError> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let queue = declare_queue(channel, name, passive, FieldTable::default()).await?;
    Ok(Depth {
        ready: queue.message_count(),
        consumers: queue.consumer_count(),
    })
}

/// A quorum queue counts returns, so that a message that crashes its consumer is set aside in the end.
/// `at-least-once` needs `reject-publish`: without it RabbitMQ silently ignores the setting (RabbitMQ's
/// documentation, "Quorum Queues").
fn arguments(queue: &Queue) -> Value {
    json!({
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        // A new key also makes a message readable whose own key is not UTF-8.
        "x-dead-letter-routing-key": queue.crashed,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    })
}

/// A classic queue, which has no delivery limit: a quorum queue of RabbitMQ 4.x drops a message after 20 returns.
fn crashed_arguments() -> Value {
    json!({"x-queue-type": "classic"})
}

fn table(arguments: &Value) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => AMQPValue::LongString(text.as_str().into()),
            number => AMQPValue::LongLongInt(number.as_i64().unwrap_or_default()),
        };
        table.insert(name.as_str().into(), value);
    }
    table
}

/// Exchange, queues and bindings in the form of RabbitMQ's definitions file, for a broker whose services may not
/// declare.
pub fn definitions(vhost: &str) -> Value {
    let queue = |name: &str, arguments: Value| json!({"name": name, "vhost": vhost, "durable": true, "auto_delete": false, "arguments": arguments});
    let declared = queues().flat_map(|wanted| {
        [
            queue(wanted.name, arguments(wanted)),
            queue(wanted.crashed, crashed_arguments()),
        ]
    });
    let bindings = queues().flat_map(|queue| {
        queue.patterns.iter().map(|pattern| {
            json!({"source": EXCHANGE, "vhost": vhost, "destination": queue.name, "destination_type": "queue",
                   "routing_key": pattern, "arguments": {}})
        })
    });
    json!({
        "exchanges": [{"name": EXCHANGE, "vhost": vhost, "type": "topic", "durable": true, "auto_delete": false,
                       "internal": false, "arguments": {}}],
        "queues": declared.collect::<Vec<_>>(),
        "bindings": bindings.collect::<Vec<_>>(),
    })
}
