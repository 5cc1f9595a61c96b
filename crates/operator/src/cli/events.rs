//! `medtrack events`: the catalogue, an event published by hand, and events published again.

mod replay;

use super::{ask, table::Columns, who::Who};
use crate::{
    catalogue::{self, Route, check},
    endpoints::Endpoints,
};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use events::catalogue::Entry;
use serde_json::{Value, json};
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
    /// Check a message without a broker: each field that a consumer could not read. Exit status 0 or 1.
    #[command(after_help = "Example:\n  medtrack events check --file message.json")]
    Check {
        /// A file with the whole message, {"payload": …, "_meta": …}; - is standard input.
        #[arg(long, value_name = "PATH")]
        file: PathBuf,
        /// The routing key, if `_meta` has none.
        #[arg(long, value_name = "ROUTING KEY")]
        key: Option<String>,
    },
    /// Publish an event as its publisher would, with the fields that are given.
    #[command(after_help = "Examples:\n  \
        medtrack events publish grade.assigned --set final_grade=15 --set stage_id=… --set student_id=…\n  \
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
    /// A file with the payload; - is standard input.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Publish without asking.
    #[arg(long)]
    yes: bool,
    /// Publish nothing; show the payload.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    who: Who,
}

impl Events {
    /// Whether it asks a part of the stack.
    pub(super) fn needs_stack(&self) -> bool {
        match self {
            Events::Publish(publish) => !publish.dry_run,
            Events::Replay(_) => true,
            Events::List { .. } | Events::Show { .. } | Events::Check { .. } => false,
        }
    }

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
            Events::Check { file, key } => check(endpoints, &file, key.as_deref()),
            Events::Publish(publish) => publish.run(endpoints).await,
            Events::Replay(arguments) => arguments.run(endpoints).await,
        }
    }
}

fn show(endpoints: &Endpoints, entry: &Entry) -> anyhow::Result<()> {
    let schema = entry.needed();
    let description = |value: &Value| value["description"].as_str().unwrap_or_default().to_owned();
    say!("{}: {}", entry.key, description(&schema));
    say!(
        "published by {}, received by {}\n",
        entry.producer,
        catalogue::receivers(entry, " ")
    );
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let required = entry.needed()["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|required| required == name));
        let required = if required { "required" } else { "optional" };
        say!(
            "  {name}: {}, {required}",
            events::documents::type_of(field)
        );
        say!("      {}", description(field).replace('\n', "\n      "));
    }
    let sample: Value = serde_json::from_str(&entry.sample())?;
    let publish = endpoints.advice(&format!("events publish {}", entry.key));
    say!("\n{sample:#}\n\n{publish}");
    Ok(())
}

impl Publish {
    async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let entry = catalogue::entry(endpoints, &self.key)?;
        let mut payload = match &self.file {
            Some(path) => read(path)?,
            None => json!({}),
        };
        for field in &self.fields {
            catalogue::set(endpoints, entry, &mut payload, field)?;
        }
        let problems = check::payload(entry, &payload);
        if !problems.is_empty() {
            bail!(
                "no consumer could read this event, so it is not published:\n  {}\n{}",
                problems.join("\n  "),
                endpoints.advice(&format!("events show {}", entry.key))
            );
        }
        let queues = catalogue::receivers(entry, " and ");
        say!("{} to {queues}:\n{payload:#}", entry.key);
        if self.dry_run {
            say!("Nothing was published.");
            return Ok(());
        }
        let person = self.who.person(endpoints)?;
        ask::ensure_agreed(
            "Publish it? A published event cannot be taken back.",
            self.yes,
        )?;
        let actor = person.actor();
        let published = catalogue::publish(endpoints, entry, payload, actor).await?;
        if published.routed || entry.is_for_others {
            say!("Published {} to {queues}.", entry.key);
        } else {
            say!(
                "Published {}, but no queue took it; {}",
                entry.key,
                endpoints.advice("topology apply")
            );
        }
        let trace = endpoints.advice(&format!("trace {}", published.event_id));
        say!("To see what becomes of it, {trace}");
        Ok(())
    }
}

fn check(endpoints: &Endpoints, file: &Path, key: Option<&str>) -> anyhow::Result<()> {
    let message = read(file)?;
    let key = key
        .or_else(|| message["_meta"]["routing_key"].as_str())
        .context("_meta.routing_key is missing; try: --key ROUTING_KEY")?;
    let problems = check::message(catalogue::entry(endpoints, key)?, &message);
    if problems.is_empty() {
        say!("{key}: its consumers can read this message.");
        return Ok(());
    }
    bail!(
        "{key}: its consumers cannot read this message:\n  {}\n{}",
        problems.join("\n  "),
        endpoints.advice(&format!("events show {key}"))
    )
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
