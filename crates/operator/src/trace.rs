//! Where an event is: each hop of its chain over the databases of all services, and where it is stuck.

use crate::{endpoints::Endpoints, views};
use chrono::{DateTime, Utc};
use events::{key, topology::Service};
use messaging::admin::{self, ChainEvent, Handling};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The newest chains of a user that are shown.
const CHAINS: i64 = 20;

/// The events that one request started, and what became of them.
#[derive(Debug, Serialize)]
pub(crate) struct Chain {
    pub(crate) correlation_id: Uuid,
    pub(crate) hops: Vec<Hop>,
}

/// One thing that happened, or has not happened yet.
#[derive(Debug, Serialize)]
pub(crate) struct Hop {
    /// Since the chain began.
    pub(crate) milliseconds: Option<i64>,
    pub(crate) at: Option<DateTime<Utc>>,
    /// The short name of the service.
    pub(crate) service: &'static str,
    pub(crate) what: String,
    pub(crate) event_id: Uuid,
    /// What to do about a hop that has not happened.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
}

/// Returns the chains of a user (by e-mail or id), of an event or of a correlation id, the oldest first.
pub(crate) async fn find(endpoints: &Endpoints, subject: &str) -> anyhow::Result<Vec<Chain>> {
    let mut trace = Trace {
        endpoints,
        databases: endpoints.databases().await?,
    };
    let Some(id) = trace.id_of(subject).await? else {
        return Ok(Vec::new());
    };
    let mut chains = Vec::new();
    for correlation_id in trace.chains_of(id).await? {
        chains.push(Chain {
            correlation_id,
            hops: trace.hops(correlation_id).await?,
        });
    }
    Ok(chains)
}

struct Trace<'a> {
    endpoints: &'a Endpoints,
    databases: Vec<(&'static Service, PgConnection)>,
}

impl Trace<'_> {
    async fn id_of(&mut self, subject: &str) -> anyhow::Result<Option<Uuid>> {
        if let Ok(id) = subject.parse() {
            return Ok(Some(id));
        }
        for (_, connection) in &mut self.databases {
            let user = views::user_of_email(connection, subject.trim()).await?;
            if user.is_some() {
                return Ok(user);
            }
        }
        Ok(None)
    }

    async fn chains_of(&mut self, id: Uuid) -> anyhow::Result<Vec<Uuid>> {
        let mut began: BTreeMap<Uuid, DateTime<Utc>> = BTreeMap::new();
        for (_, connection) in &mut self.databases {
            for chain in admin::chains_of(connection, id, CHAINS).await? {
                let earliest = began.entry(chain.correlation_id).or_insert(chain.began_at);
                *earliest = chain.began_at.min(*earliest);
            }
        }
        let mut chains: Vec<_> = began.into_iter().collect();
        chains.sort_by_key(|(correlation_id, began_at)| (*began_at, *correlation_id));
        Ok(chains.into_iter().map(|(id, _)| id).collect())
    }

    /// Returns the hops of a chain in the order of their times; those that have not happened come last.
    async fn hops(&mut self, correlation_id: Uuid) -> anyhow::Result<Vec<Hop>> {
        let mut hops = Vec::new();
        for producer in 0..self.databases.len() {
            let (service, connection) = &mut self.databases[producer];
            let service = *service;
            for event in admin::events_of_chain(connection, correlation_id).await? {
                hops.extend(self.published(service, &event));
                if event.published_at.is_some() {
                    hops.extend(self.consumed(&event).await?);
                }
            }
        }
        let began = hops.iter().filter_map(|hop| hop.at).min();
        for hop in &mut hops {
            let since = hop.at.zip(began);
            hop.milliseconds = since.map(|(at, began)| (at - began).num_milliseconds());
        }
        hops.sort_by_key(|hop| (hop.at.is_none(), hop.at));
        Ok(hops)
    }

    /// The hops of an event at its producer.
    fn published(&self, service: &'static Service, event: &ChainEvent) -> [Hop; 2] {
        let line = &self.endpoints.command_line;
        let key = &event.routing_key;
        let second = match (event.published_at, event.unroutable_at) {
            (Some(at), _) => event.done(service, at, format!("{key} published")),
            (None, Some(_)) => event.stuck(
                service,
                format!("no queue receives {key}"),
                line.operator("topology apply"),
            ),
            (None, None) => event.stuck(
                service,
                format!("{key} is not published yet"),
                line.operator("doctor"),
            ),
        };
        let committed = format!("{key} committed");
        [event.done(service, event.created_at, committed), second]
    }

    /// The hops of an event at every service whose queue receives it.
    async fn consumed(&mut self, event: &ChainEvent) -> anyhow::Result<Vec<Hop>> {
        let line = &self.endpoints.command_line;
        let (id, key) = (event.event_id, &event.routing_key);
        let mut hops = Vec::new();
        for (service, connection) in &mut self.databases {
            let mut patterns = service.queue.patterns.iter();
            if !patterns.any(|pattern| key::matches(pattern, key)) {
                continue;
            }
            match admin::handling(connection, id).await? {
                Handling::Parked {
                    state,
                    kind,
                    waits_for,
                } => {
                    let why = waits_for.map_or(kind, |what| format!("waits for {what}"));
                    let show = line.operator(&format!("dead show {id}"));
                    let advice = match state.as_str() {
                        "dead" => show,
                        _ => format!("wait: it is tried again by itself; or look: {show}"),
                    };
                    let what = format!("{key} is parked, {state}: {why}");
                    hops.push(event.stuck(service, what, advice));
                }
                Handling::NotReceived => hops.push(event.stuck(
                    service,
                    format!(
                        "{key} has not been handled; it is in the queue {}",
                        service.queue.name
                    ),
                    line.restart(&format!("{}-consumer", service.short)),
                )),
                Handling::Handled { at } => {
                    hops.push(event.done(service, at, format!("{key} handled")));
                    let effects = views::effects(connection, id).await?.into_iter();
                    hops.extend(
                        effects.map(|effect| {
                            event.done(service, effect.happened_at, effect.description)
                        }),
                    );
                }
            }
        }
        Ok(hops)
    }
}

/// Makes hops of an event.
trait Hops {
    fn done(&self, service: &Service, at: DateTime<Utc>, what: String) -> Hop;
    fn stuck(&self, service: &Service, what: String, advice: String) -> Hop;
}

impl Hops for ChainEvent {
    fn done(&self, service: &Service, at: DateTime<Utc>, what: String) -> Hop {
        Hop {
            milliseconds: None,
            at: Some(at),
            service: service.short,
            what,
            event_id: self.event_id,
            advice: None,
        }
    }

    fn stuck(&self, service: &Service, what: String, advice: String) -> Hop {
        Hop {
            milliseconds: None,
            at: None,
            service: service.short,
            what,
            event_id: self.event_id,
            advice: Some(advice),
        }
    }
}
