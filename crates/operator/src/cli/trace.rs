//! Where an event is: each hop of a chain over the three databases, and where it is stuck.

#![expect(
    clippy::disallowed_methods,
    reason = "tables of three services, that no one build knows"
)]

use super::list;
use crate::endpoints::{Endpoints, SERVICES};
use anyhow::bail;
use chrono::{DateTime, Utc};
use events::{key, topology::queues};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The newest chains of a user that are shown.
const CHAINS: i64 = 20;

/// One thing that happened, or has not happened yet.
#[derive(Debug, Serialize)]
struct Hop {
    /// Since the chain began.
    milliseconds: Option<i64>,
    at: Option<DateTime<Utc>>,
    service: &'static str,
    what: String,
    event_id: Uuid,
    /// What to do about it, when it is not done.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// A row of an outbox.
#[derive(sqlx::FromRow)]
struct Written {
    event_id: Uuid,
    routing_key: String,
    created_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
    unroutable_at: Option<DateTime<Utc>>,
}

pub(crate) async fn run(endpoints: &Endpoints, subject: &str, json: bool) -> anyhow::Result<()> {
    let mut databases = BTreeMap::new();
    for service in SERVICES {
        databases.insert(service, endpoints.database(service).await?);
    }
    let chains = chains(subject, &mut databases).await?;
    if chains.is_empty() {
        bail!(
            "nothing is known of {subject}: not a user's e-mail or id, nor a correlation or event id of the last days; \
             try: ./medtrack outbox, ./medtrack dead list"
        );
    }
    let mut all = Vec::new();
    for correlation_id in chains {
        let hops = hops(correlation_id, &mut databases).await?;
        if json {
            all.push(serde_json::json!({"correlation_id": correlation_id, "hops": hops}));
        } else {
            tell(correlation_id, &hops)?;
        }
    }
    if json {
        say!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(())
}

type Databases = BTreeMap<&'static str, PgConnection>;

/// The chains that a user, an event or a correlation id stands for, the oldest first.
async fn chains(subject: &str, databases: &mut Databases) -> anyhow::Result<Vec<Uuid>> {
    let subject = match subject.parse::<Uuid>() {
        Ok(id) => id,
        Err(_) => {
            let auth = database(databases, "auth");
            let user: Option<Uuid> =
                sqlx::query_scalar("select id from users_user where lower(email) = lower($1)")
                    .bind(subject.trim())
                    .fetch_optional(auth)
                    .await?;
            let Some(user) = user else {
                return Ok(Vec::new());
            };
            user
        }
    };
    let mut found = BTreeMap::new();
    for connection in databases.values_mut() {
        let rows: Vec<(DateTime<Utc>, Uuid)> = sqlx::query_as(
            "select min(created_at), correlation_id from outbox
             where aggregate_id = $1 or event_id = $1 or correlation_id = $1
             group by correlation_id order by 1 desc limit $2",
        )
        .bind(subject)
        .bind(CHAINS)
        .fetch_all(&mut *connection)
        .await?;
        let parked: Vec<(DateTime<Utc>, Uuid)> = sqlx::query_as(
            "select first_at, correlation_id from parked_event
             where (event_id = $1 or correlation_id = $1) and correlation_id is not null limit $2",
        )
        .bind(subject)
        .bind(CHAINS)
        .fetch_all(&mut *connection)
        .await?;
        for (at, correlation_id) in rows.into_iter().chain(parked) {
            found
                .entry(correlation_id)
                .and_modify(|known: &mut DateTime<Utc>| *known = at.min(*known))
                .or_insert(at);
        }
    }
    let mut chains: Vec<_> = found
        .into_iter()
        .map(|(correlation_id, at)| (at, correlation_id))
        .collect();
    chains.sort();
    Ok(chains
        .into_iter()
        .map(|(_, correlation_id)| correlation_id)
        .collect())
}

fn database<'d>(databases: &'d mut Databases, service: &'static str) -> &'d mut PgConnection {
    databases
        .get_mut(service)
        .expect("there is one for each service")
}

/// Everything that happened in a chain, in order; what has not happened yet stands at the end.
async fn hops(correlation_id: Uuid, databases: &mut Databases) -> anyhow::Result<Vec<Hop>> {
    let mut hops = Vec::new();
    for producer in SERVICES {
        let written: Vec<Written> = sqlx::query_as(
            "select event_id, routing_key, created_at, published_at, unroutable_at from outbox where correlation_id = $1",
        )
        .bind(correlation_id)
        .fetch_all(database(databases, producer))
        .await?;
        for event in written {
            let hop =
                |at: Option<DateTime<Utc>>, service, what: String, advice: Option<&str>| Hop {
                    milliseconds: None,
                    at,
                    service,
                    what,
                    event_id: event.event_id,
                    advice: advice.map(str::to_owned),
                };
            let routing_key = &event.routing_key;
            hops.push(hop(
                Some(event.created_at),
                producer,
                format!("{routing_key} committed"),
                None,
            ));
            match (event.published_at, event.unroutable_at) {
                (Some(at), _) => hops.push(hop(
                    Some(at),
                    producer,
                    format!("{routing_key} published"),
                    None,
                )),
                (None, Some(_)) => {
                    hops.push(hop(
                        None,
                        producer,
                        format!("no queue wants {routing_key}"),
                        Some("./medtrack topology apply"),
                    ));
                }
                (None, None) => {
                    hops.push(hop(
                        None,
                        producer,
                        format!("{routing_key} is not published yet"),
                        Some("./medtrack doctor"),
                    ));
                }
            }
            if event.published_at.is_none() {
                continue;
            }
            for queue in queues().filter(|queue| {
                queue
                    .patterns
                    .iter()
                    .any(|pattern| key::matches(pattern, routing_key))
            }) {
                let consumer = SERVICES
                    .into_iter()
                    .find(|service| queue.name.starts_with(service))
                    .unwrap_or("comm");
                hops.extend(raw(&event, consumer, database(databases, consumer)).await?);
            }
        }
    }
    let began = hops.iter().filter_map(|hop| hop.at).min();
    for hop in &mut hops {
        hop.milliseconds = hop
            .at
            .zip(began)
            .map(|(at, began)| (at - began).num_milliseconds());
    }
    hops.sort_by_key(|hop| (hop.at.is_none(), hop.at));
    Ok(hops)
}

/// What became of an event at a consumer.
async fn raw(
    event: &Written,
    service: &'static str,
    connection: &mut PgConnection,
) -> anyhow::Result<Vec<Hop>> {
    let hop = |at: Option<DateTime<Utc>>, what: String, advice: Option<String>| Hop {
        milliseconds: None,
        at,
        service,
        what,
        event_id: event.event_id,
        advice,
    };
    let routing_key = &event.routing_key;
    let parked: Option<(String, String, Option<String>, DateTime<Utc>)> = sqlx::query_as(
        "select state, kind, waits_for, first_at from parked_event where event_id = $1",
    )
    .bind(event.event_id)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((state, kind, waits_for, _)) = parked {
        let why = waits_for.map_or(kind, |what| format!("waits for {what}"));
        let advice = match state.as_str() {
            "dead" => format!("./medtrack dead show {}", event.event_id),
            _ => {
                format!(
                    "wait: it is tried again by itself; or look: ./medtrack dead show {}",
                    event.event_id
                )
            }
        };
        return Ok(vec![hop(
            None,
            format!("{routing_key} is parked, {state}: {why}"),
            Some(advice),
        )]);
    }
    let taken: Option<DateTime<Utc>> =
        sqlx::query_scalar("select received_at from inbox where event_id = $1")
            .bind(event.event_id)
            .fetch_optional(&mut *connection)
            .await?;
    let Some(taken) = taken else {
        let what =
            format!("{routing_key} has not been handled; it is in the queue {service}.events");
        return Ok(vec![hop(
            None,
            what,
            Some(format!("./medtrack restart {service}-consumer")),
        )]);
    };
    let mut hops = vec![hop(Some(taken), format!("{routing_key} handled"), None)];
    if service == "comm" {
        let told: Vec<(DateTime<Utc>, String)> = sqlx::query_as(
            "select created_at, kind from communications_notification where source_event = $1",
        )
        .bind(event.event_id)
        .fetch_all(connection)
        .await?;
        hops.extend(
            told.into_iter()
                .map(|(at, kind)| hop(Some(at), format!("notification written ({kind})"), None)),
        );
    }
    Ok(hops)
}

fn tell(correlation_id: Uuid, hops: &[Hop]) -> anyhow::Result<()> {
    let began = hops.iter().find_map(|hop| hop.at);
    say!(
        "{}  correlation id {correlation_id}",
        began.map(|at| at.to_string()).unwrap_or_default()
    );
    list::say(
        hops,
        false,
        "",
        &["MS", "SERVICE", "WHAT", "EVENT"],
        |hop| {
            vec![
                hop.milliseconds.map_or("–".into(), |ms| ms.to_string()),
                hop.service.into(),
                hop.what.clone(),
                hop.event_id.to_string(),
            ]
        },
    )?;
    let mut stuck = hops.iter().filter(|hop| hop.advice.is_some()).peekable();
    if stuck.peek().is_none() {
        let last = hops.iter().filter_map(|hop| hop.milliseconds).max();
        say!("complete in {} ms", last.unwrap_or_default());
    }
    for hop in stuck {
        say!("stuck at {}-service: {}", hop.service, hop.what);
        say!("    try: {}", hop.advice.as_deref().unwrap_or_default());
    }
    say!("");
    Ok(())
}
