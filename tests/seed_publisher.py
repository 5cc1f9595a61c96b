"""Publishes one event several times, as a Django service of the original system does: bare envelope, no ids."""

import json
import sys

import pika

url, routing_key, payload, times = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.exchange_declare(exchange="events.topic", exchange_type="topic", durable=True)
channel.confirm_delivery()
message = {
    "payload": json.loads(payload),
    "_meta": {
        "timestamp": "2025-12-13T19:27:02.415000Z",
        "routing_key": routing_key,
        "source": "auth-service",
    },
}
for _ in range(int(times)):
    channel.basic_publish(
        exchange="events.topic",
        routing_key=routing_key,
        body=json.dumps(message),
        properties=pika.BasicProperties(delivery_mode=2, content_type="application/json"),
    )
connection.close()
