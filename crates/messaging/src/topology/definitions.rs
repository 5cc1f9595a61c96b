//! The properties of the queues, and everything in the form of RabbitMQ's definitions file.

use events::topology::{DELIVERY_LIMIT, EXCHANGE, Queue, queues};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

/// A quorum queue counts returns, so that a message that crashes its consumer is set aside in the end.
/// `at-least-once` needs `reject-publish`: without it RabbitMQ silently ignores the setting (RabbitMQ's
/// documentation, "Quorum Queues").
pub(super) fn arguments(queue: &Queue) -> Value {
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
pub(super) fn crashed_arguments() -> Value {
    json!({"x-queue-type": "classic"})
}

pub(super) fn table(arguments: &Value) -> FieldTable {
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
