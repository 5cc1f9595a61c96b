"""Publishes one event to MedTrack, and ends when the broker has it.

    AMQP_URL=amqp://core-service:…@host:5672/%2f python3 publisher.py stage.created < payload.json

Needs pika 1.x (python3-pika in Debian)."""

import datetime, json, os, sys, uuid

import pika

key, payload = sys.argv[1], json.load(sys.stdin)
meta = {
    # Keep the id with your own row, and use it again when you publish the same event again: then it has one effect.
    "event_id": str(uuid.uuid4()),
    "timestamp": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    "routing_key": key,
    "source": "core-service",
}
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.confirm_delivery()  # publishing raises an error unless the broker has stored the event
channel.basic_publish(
    exchange="events.topic",
    routing_key=key,
    mandatory=True,  # an error also where no queue takes the key
    body=json.dumps({"payload": payload, "_meta": meta}),
    properties=pika.BasicProperties(
        content_type="application/json", delivery_mode=2, message_id=meta["event_id"], app_id="core-service"
    ),
)
connection.close()
print(meta["event_id"])
