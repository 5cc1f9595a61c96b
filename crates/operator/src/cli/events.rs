//! `medtrack events`: the catalogue, an event published by hand, and events published again.

mod replay;

use super::table::Columns;
use crate::{
    catalogue::{self, Route},
    endpoints::Endpoints,
};
use anyhow::Context as _;
use clap::Subcommand;
use events::catalogue::Entry;
use serde_json::Value;
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// List the events of the system: which service publishes them, which queues receive them.
    #[command(after_help = "Example:\n  medtrack events list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show an event's fields and a sample.
    #[command(after_help = "Example:\n  medtrack events show stage.accepted")]
    Show {
        /// The routing key.
        key: String,
    },
    /// Publish an event as its publisher would: the sample, with the fields that are given.
    #[command(after_help = "Examples:\n  \
        medtrack events publish stage.accepted --set student_id=01a20942-4f9c-77ab-96e5-4bc61d4632b2\n  \
        medtrack events publish grade.assigned --file payload.json")]
    Publish(Publish),
    /// Publish again what a service has missed, after a lost binding or a purged queue. The events keep their ids.
    #[command(
        after_help = "An event that is still in the queue counts as missed: let the consumer catch up first.\n\
                      Examples:\n  medtrack events replay --since 2h --to comm --dry-run\n  \
                      medtrack events replay --since 2026-11-25T18:00:00Z --to comm --key 'student.*'"
    )]
    Replay(replay::Arguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct Publish {
    /// The routing key.
    key: String,
    /// A field of the payload and its value, as JSON or as text.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// A file with the whole payload, instead of the sample; - is standard input.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

impl Events {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        match self {
            Events::List { json } => {
                let columns = Columns {
                    names: &["EVENT", "PUBLISHED BY", "RECEIVED BY"],
                    none: "",
                    cells: |route: &Route| {
                        vec![
                            route.key.into(),
                            route.publisher.into(),
                            route.queues.join(" "),
                        ]
                    },
                };
                columns.print(&catalogue::routes(), json)
            }
            Events::Show { key } => show(endpoints, catalogue::entry(endpoints, &key)?),
            Events::Publish(publish) => publish.run(endpoints).await,
            Events::Replay(arguments) => arguments.run(endpoints).await,
        }
    }
}

fn show(endpoints: &Endpoints, entry: &Entry) -> anyhow::Result<()> {
    let schema = entry.schema();
    let description = |value: &Value| value["description"].as_str().unwrap_or_default().to_owned();
    say!("{}: {}", entry.key, description(&schema));
    say!(
        "published by {}, received by {}\n",
        entry.producer,
        catalogue::queues(entry.key).join(" ")
    );
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        say!("  {name:<16} {}", description(field));
    }
    let sample: Value = serde_json::from_str(&entry.sample())?;
    let publish = endpoints.advice(&format!("events publish {}", entry.key));
    say!("\n{sample:#}\n\n{publish}");
    Ok(())
}

impl Publish {
    async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let entry = catalogue::entry(endpoints, &self.key)?;
        let mut payload = match self.file {
            Some(path) => read(&path)?,
            None => {
                let mut sample: Value = serde_json::from_str(&entry.sample())?;
                sample["payload"].take()
            }
        };
        for field in &self.fields {
            catalogue::set(endpoints, &mut payload, field)?;
        }
        let published = catalogue::publish(endpoints, entry, payload).await?;
        if published.routed {
            let queues = catalogue::queues(entry.key).join(" and ");
            say!("Published {} to {queues}.", entry.key);
        } else {
            say!(
                "Published {}, but no queue took it; {}",
                entry.key,
                endpoints.advice("topology apply")
            );
        }
        say!(
            "{}, if it has no effect; its event id is {}",
            endpoints.advice("dead list --waiting"),
            published.event_id
        );
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<Value> {
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
