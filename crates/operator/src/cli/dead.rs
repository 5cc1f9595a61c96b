//! Parked events: those that need a person, and on request those that are tried again by themselves.

use super::{ago, list};
use crate::endpoints::{Endpoints, SERVICES};
use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use messaging::{
    admin::{self, ParkedFilter},
    parked::Parked,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// More are not looked at in one go.
const LIMIT: i64 = 10_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List them by cause.
    #[command(
        after_help = "Examples:\n  medtrack dead list\n  medtrack dead list --each --service comm --json"
    )]
    List {
        #[command(flatten)]
        filter: Filter,
        /// One line for each event.
        #[arg(long)]
        each: bool,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Show all about one. The payload's values are masked: they may name a person.
    #[command(after_help = "Example:\n  medtrack dead show 01a20942-4f9c-77ab-96e5-4bc61d4632b2")]
    Show {
        event_id: Uuid,
        /// Show the message as it came.
        #[arg(long)]
        payload: bool,
    },
    /// Have them tried again, with all their attempts; they keep their ids, so nobody is told twice.
    #[command(
        after_help = "Examples:\n  medtrack dead replay 01a20942-4f9c-77ab-96e5-4bc61d4632b2\n  \
                            medtrack dead replay --service comm --kind database --dry-run\n  medtrack dead replay --all"
    )]
    Replay(Choice),
    /// Forget them for good: they are never handled.
    #[command(
        after_help = "Examples:\n  medtrack dead discard --kind not_json --dry-run\n  \
                            medtrack dead discard --kind not_json"
    )]
    Discard(Choice),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Filter {
    /// Only of this service: auth, profile or comm.
    #[arg(long, value_name = "NAME", value_parser = ["auth", "profile", "comm"])]
    service: Option<String>,
    /// Only with this routing key.
    #[arg(long, value_name = "ROUTING KEY")]
    key: Option<String>,
    /// Only of this cause, as `list` shows it.
    #[arg(long, value_name = "CAUSE")]
    kind: Option<String>,
    /// Also those that are tried again by themselves.
    #[arg(long)]
    waiting: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Choice {
    /// Only these.
    event_ids: Vec<Uuid>,
    #[command(flatten)]
    filter: Filter,
    /// Every one.
    #[arg(long)]
    all: bool,
    /// Change nothing; say what would be done.
    #[arg(long)]
    dry_run: bool,
}

/// A parked event, and whose it is.
#[derive(Serialize)]
struct Row {
    service: &'static str,
    #[serde(flatten)]
    parked: Parked,
}

/// Parked events with the same cause.
#[derive(Serialize)]
struct Group {
    service: &'static str,
    routing_key: String,
    kind: String,
    state: String,
    events: usize,
    oldest: DateTime<Utc>,
    newest: DateTime<Utc>,
    example: Uuid,
}

pub(crate) async fn run(endpoints: &Endpoints, command: Dead) -> anyhow::Result<()> {
    match command {
        Dead::List {
            filter,
            each: false,
            json,
        } => list_causes(&find(endpoints, &filter, &[]).await?, json),
        Dead::List {
            filter,
            each: true,
            json,
        } => list_each(&find(endpoints, &filter, &[]).await?, json),
        Dead::Show { event_id, payload } => show(endpoints, event_id, payload).await,
        Dead::Replay(choice) => act(endpoints, &choice, Deed::Replay).await,
        Dead::Discard(choice) => act(endpoints, &choice, Deed::Discard).await,
    }
}

async fn find(
    endpoints: &Endpoints,
    filter: &Filter,
    event_ids: &[Uuid],
) -> anyhow::Result<Vec<Row>> {
    let which = ParkedFilter {
        // Whoever names an event means it, whatever its state.
        state: (!filter.waiting && event_ids.is_empty()).then(|| "dead".into()),
        routing_key: filter.key.clone(),
        kind: filter.kind.clone(),
        event_ids: (!event_ids.is_empty()).then(|| event_ids.to_vec()),
    };
    let mut rows = Vec::new();
    for service in SERVICES.into_iter().filter(|service| {
        filter
            .service
            .as_deref()
            .is_none_or(|name| name == *service)
    }) {
        let mut connection = endpoints.database(service).await?;
        let parked = admin::parked(&mut connection, &which, LIMIT).await?;
        rows.extend(parked.into_iter().map(|parked| Row { service, parked }));
    }
    Ok(rows)
}

fn list_causes(rows: &[Row], json: bool) -> anyhow::Result<()> {
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for Row { service, parked } in rows {
        let cause = (
            *service,
            parked.state.clone(),
            parked.kind.clone(),
            parked.routing_key.clone(),
        );
        let group = groups.entry(cause).or_insert_with(|| Group {
            service,
            routing_key: parked.routing_key.clone(),
            kind: parked.kind.clone(),
            state: parked.state.clone(),
            events: 0,
            oldest: parked.first_at,
            newest: parked.first_at,
            example: parked.event_id,
        });
        group.events += 1;
        group.oldest = group.oldest.min(parked.first_at);
        group.newest = group.newest.max(parked.first_at);
    }
    let groups: Vec<Group> = groups.into_values().collect();
    list::say(
        &groups,
        json,
        "No event is parked.",
        &[
            "SERVICE",
            "STATE",
            "CAUSE",
            "ROUTING KEY",
            "EVENTS",
            "OLDEST",
            "NEWEST",
            "FOR EXAMPLE",
        ],
        |group| {
            vec![
                group.service.into(),
                group.state.clone(),
                group.kind.clone(),
                group.routing_key.clone(),
                group.events.to_string(),
                ago(group.oldest),
                ago(group.newest),
                group.example.to_string(),
            ]
        },
    )?;
    if let (Some(group), false) = (groups.first(), json) {
        say!("\ntry: ./medtrack dead show {}", group.example);
    }
    Ok(())
}

fn list_each(rows: &[Row], json: bool) -> anyhow::Result<()> {
    list::say(
        rows,
        json,
        "No event is parked.",
        &[
            "EVENT",
            "SERVICE",
            "STATE",
            "CAUSE",
            "ROUTING KEY",
            "TRIES",
            "PARKED",
            "WAITS FOR",
        ],
        |Row { service, parked }| {
            vec![
                parked.event_id.to_string(),
                (*service).into(),
                parked.state.clone(),
                parked.kind.clone(),
                parked.routing_key.clone(),
                parked.attempts.to_string(),
                ago(parked.first_at),
                parked.waits_for.clone().unwrap_or_default(),
            ]
        },
    )
}

async fn show(endpoints: &Endpoints, event_id: Uuid, payload: bool) -> anyhow::Result<()> {
    let none = Filter {
        service: None,
        key: None,
        kind: None,
        waiting: true,
    };
    let Some(Row { service, parked }) = find(endpoints, &none, &[event_id])
        .await?
        .into_iter()
        .next()
    else {
        bail!(
            "no such event is parked; try: ./medtrack dead list --each, or ./medtrack trace {event_id}"
        );
    };
    let mut connection = endpoints.database(service).await?;
    let body = admin::body(&mut connection, event_id)
        .await?
        .unwrap_or_default();
    let mut lines = vec![
        ("event", parked.event_id.to_string()),
        ("service", service.into()),
        ("routing key", parked.routing_key),
        ("state", parked.state.clone()),
        ("cause", parked.kind),
        (
            "tries",
            format!(
                "{} (delivered {} times)",
                parked.attempts, parked.deliveries
            ),
        ),
        (
            "parked",
            format!("{} ({} ago)", parked.first_at, ago(parked.first_at)),
        ),
        (
            "last tried",
            format!("{} ({} ago)", parked.last_at, ago(parked.last_at)),
        ),
    ];
    lines.extend(parked.waits_for.map(|what| ("waits for", what)));
    lines.extend(parked.due_at.map(|due| ("tried again", due.to_string())));
    if payload {
        lines.push(("reason", parked.reason));
    } else {
        // It may quote what was sent.
        let reason = parked
            .reason
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned();
        lines.push(("reason", format!("{reason} … (whole with --payload)")));
    }
    for (name, value) in lines {
        say!("{name:<12} {value}");
    }
    say!(
        "\n{}",
        if payload {
            String::from_utf8_lossy(&body).into_owned()
        } else {
            masked(&body)
        }
    );
    if parked.state == "dead" {
        say!("\ntry: ./medtrack dead replay {event_id}   when the cause is gone");
        say!("     ./medtrack dead discard {event_id}  when it is of no use");
    }
    Ok(())
}

/// The shape of a message, without what it says.
fn masked(body: &[u8]) -> String {
    fn mask(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(mask),
            Value::Array(items) => items.iter_mut().for_each(mask),
            Value::Null => {}
            other => *other = json!("…"),
        }
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            mask(&mut value);
            format!("{value:#}")
        }
        Err(_) => format!("{} bytes that are not JSON", body.len()),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Deed {
    Replay,
    Discard,
}

async fn act(endpoints: &Endpoints, choice: &Choice, deed: Deed) -> anyhow::Result<()> {
    let Filter {
        service,
        key,
        kind,
        waiting,
    } = &choice.filter;
    let filtered = service.is_some() || key.is_some() || kind.is_some() || *waiting;
    if choice.event_ids.is_empty() && !filtered && !choice.all {
        bail!(
            "which ones? try: give event ids, --service, --key or --kind, or --all; --dry-run shows what is meant"
        );
    }
    let rows = find(endpoints, &choice.filter, &choice.event_ids).await?;
    if rows.is_empty() {
        bail!("nothing that is parked is meant; try: ./medtrack dead list");
    }
    let (verb, done) = match deed {
        Deed::Replay => ("replay", "replayed"),
        Deed::Discard => ("discard", "discarded"),
    };
    if choice.dry_run {
        list_each(&rows, false)?;
        say!(
            "\n{} events would be {done}; without --dry-run they are.",
            rows.len()
        );
        return Ok(());
    }
    let mut count = 0;
    for service in SERVICES {
        let ids: Vec<Uuid> = rows
            .iter()
            .filter(|row| row.service == service)
            .map(|row| row.parked.event_id)
            .collect();
        if ids.is_empty() {
            continue;
        }
        let mut connection = endpoints.database(service).await?;
        let acted = match deed {
            Deed::Replay => admin::replay(&mut connection, &ids).await,
            Deed::Discard => admin::discard(&mut connection, &ids).await,
        };
        count += acted
            .with_context(|| format!("cannot {verb} the events of {service}-service"))?
            .len();
    }
    say!("{count} of {} events {done}.", rows.len());
    if deed == Deed::Replay {
        say!("The consumer tries them within a second; try: ./medtrack dead list --waiting");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_message_shows_its_shape_and_says_nothing() {
        let shown =
            masked(br#"{"payload": {"email": "a@b.org", "age": 3, "phone": null}, "_meta": {}}"#);
        assert!(
            shown.contains("email") && !shown.contains("a@b.org") && !shown.contains('3'),
            "{shown}"
        );
        assert_eq!(masked(b"{nope"), "5 bytes that are not JSON");
    }
}
