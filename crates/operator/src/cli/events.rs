//! The catalogue of events, and an event published by hand.

use super::list;
use crate::broker;
use crate::endpoints::Endpoints;
use anyhow::{Context as _, bail};
use chrono::Utc;
use clap::Subcommand;
use events::{
    EventId, RawMessage,
    catalogue::{self, EVENTS, Entry, Validation},
    key,
    topology::{self, EXCHANGE},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{io::Read as _, path::PathBuf};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// List the events of the system: who publishes them, who hears them.
    #[command(after_help = "Example:\n  medtrack events list --json")]
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Show an event's fields and a sample.
    #[command(after_help = "Example:\n  medtrack events show stage.accepted")]
    Show {
        /// The routing key.
        key: String,
    },
    /// Publish an event, as its publisher would: the sample, changed by what is given.
    #[command(after_help = "Examples:\n  \
        medtrack events publish stage.accepted --set student_id=01a20942-4f9c-77ab-96e5-4bc61d4632b2\n  \
        medtrack events publish grade.assigned --file payload.json")]
    Publish {
        /// The routing key.
        key: String,
        /// A field of the payload and its value, as JSON or as text.
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        fields: Vec<String>,
        /// A file with the whole payload, instead of the sample; - is standard input.
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Row {
    key: &'static str,
    publisher: &'static str,
    queues: Vec<&'static str>,
}

pub(crate) async fn run(endpoints: &Endpoints, command: Events) -> anyhow::Result<()> {
    match command {
        Events::List { json } => {
            let row = |entry: &Entry| Row {
                key: entry.key,
                publisher: entry.producer,
                queues: queues(entry.key),
            };
            let rows: Vec<Row> = EVENTS.iter().map(row).collect();
            list::say(
                &rows,
                json,
                "",
                &["EVENT", "PUBLISHED BY", "HEARD BY"],
                |row| vec![row.key.into(), row.publisher.into(), row.queues.join(" ")],
            )
        }
        Events::Show { key } => show(entry(&key)?),
        Events::Publish { key, fields, file } => {
            publish(endpoints, entry(&key)?, &fields, file).await
        }
    }
}

fn entry(wanted: &str) -> anyhow::Result<&'static Entry> {
    let found = EVENTS.iter().find(|entry| entry.key == wanted);
    found.with_context(|| format!("there is no event {wanted:?}; try: ./medtrack events list"))
}

fn queues(routing_key: &str) -> Vec<&'static str> {
    let wants = |patterns: &[&str]| {
        patterns
            .iter()
            .any(|pattern| key::matches(pattern, routing_key))
    };
    topology::queues()
        .filter(|queue| wants(queue.patterns))
        .map(|queue| queue.name)
        .collect()
}

fn show(entry: &Entry) -> anyhow::Result<()> {
    let schema = entry.schema();
    say!(
        "{}: {}",
        entry.key,
        schema["description"].as_str().unwrap_or_default()
    );
    say!(
        "published by {}, heard by {}\n",
        entry.producer,
        queues(entry.key).join(" ")
    );
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        say!(
            "  {name:<16} {}",
            field["description"].as_str().unwrap_or_default()
        );
    }
    let sample: Value = serde_json::from_str(&entry.sample())?;
    say!(
        "\n{sample:#}\n\ntry: ./medtrack events publish {}",
        entry.key
    );
    Ok(())
}

async fn publish(
    endpoints: &Endpoints,
    entry: &Entry,
    fields: &[String],
    file: Option<PathBuf>,
) -> anyhow::Result<()> {
    let sample: Value = serde_json::from_str(&entry.sample())?;
    let mut payload = match file {
        None => sample["payload"].clone(),
        Some(path) => read(&path)?,
    };
    for field in fields {
        set(&mut payload, field)?;
    }
    let (event_id, correlation_id) = (EventId::new(), Uuid::now_v7());
    let envelope = json!({"payload": payload, "_meta": {
        "event_id": event_id, "correlation_id": correlation_id, "timestamp": Utc::now(), "routing_key": entry.key,
        "source": "medtrack", "schema_version": entry.schema_version,
    }})
    .to_string();
    let raw = RawMessage {
        exchange: EXCHANGE,
        routing_key: entry.key,
        message_id: None,
        body: envelope.as_bytes(),
    };
    if let Validation::Refused(refusal) = catalogue::validate(&raw) {
        bail!(
            "nobody could read this, so it is not published: {}; try: ./medtrack events show {}",
            refusal.reason,
            entry.key
        );
    }
    let broker = broker::of(endpoints)?;
    let published =
        messaging::admin::publish(&broker, entry.key, event_id, correlation_id, envelope).await;
    if published.context("RabbitMQ did not take it; try: ./medtrack doctor")? {
        say!(
            "Published {} to {}.",
            entry.key,
            queues(entry.key).join(" and ")
        );
    } else {
        say!(
            "Published {}, but no queue took it; try: ./medtrack topology apply",
            entry.key
        );
    }
    say!(
        "try: ./medtrack dead list --waiting, when nothing comes of it; its event id is {event_id}"
    );
    Ok(())
}

fn read(path: &std::path::Path) -> anyhow::Result<Value> {
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
    } else {
        text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}; try: another path, or -", path.display()))?;
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// Sets `a.b=value` in a payload.
fn set(payload: &mut Value, field: &str) -> anyhow::Result<()> {
    let (path, value) = field
        .split_once('=')
        .with_context(|| format!("{field:?} has no value; try: --set field=value"))?;
    let mut place = payload;
    for name in path.split('.') {
        if !place.is_object() {
            bail!("{path}: there is no such field; try: ./medtrack events show");
        }
        place = &mut place[name];
    }
    *place = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_set_as_json_or_as_text() {
        let mut payload = json!({"a": 1, "b": {"c": null}});
        for field in ["a=2", "b.c=text", "d=null", "e=[1]"] {
            set(&mut payload, field).unwrap();
        }
        assert_eq!(
            payload,
            json!({"a": 2, "b": {"c": "text"}, "d": null, "e": [1]})
        );
        assert!(set(&mut payload, "a").is_err() && set(&mut payload, "a.b=1").is_err());
    }
}
