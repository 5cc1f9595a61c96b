//! What became of each event at each service, and what to do about what is not done.

use super::{
    Chain, Databases, EventTrace, Hop, State,
    collect::{self, Event, Events, Wanted},
    order,
    unreceived::Unreceived,
    waits::{self, Wait},
};
use crate::{endpoints::Endpoints, queues, views::Notification, words::span};
use chrono::{DateTime, TimeDelta, Utc};
use events::topology::{SERVICES, Service};
use messaging::admin::{ChainEvent, ParkedState};
use std::collections::HashMap;
use uuid::Uuid;

/// An event that a service handled so much earlier than it was published was published twice.
const AGAIN: TimeDelta = TimeDelta::seconds(1);

/// Returns the chains of the events that `wanted` selects, the oldest first.
pub(super) async fn chains(
    endpoints: &Endpoints,
    databases: &mut Databases,
    wanted: &Wanted,
) -> anyhow::Result<Vec<Chain>> {
    let mut events = collect::events(databases, wanted).await?;
    let mut fates = Fates {
        endpoints,
        now: Utc::now(),
        unreceived: Unreceived::new(&endpoints.command_line),
        waits: HashMap::new(),
    };
    let is_unreceived = |event: &Event| {
        SERVICES
            .iter()
            .any(|service| event.unreceived(service).is_some())
    };
    if events.values().any(is_unreceived) {
        fates.unreceived.queues = queues::states(endpoints).await.ok();
        // Once more: what has left its queue before the look is in an inbox now.
        events = collect::events(databases, wanted).await?;
        fates.unreceived.compare(databases, &events).await?;
    }
    for (id, event) in &events {
        for (service, parked) in &event.parked {
            if parked.state == "waiting" {
                let wait = waits::explain(endpoints, databases, service.short, parked).await?;
                fates.waits.insert((*id, service.short), wait);
            }
        }
    }
    let mut chains: Vec<Chain> = order::by_chain(events)
        .into_values()
        .map(|events| fates.chain(events))
        .collect();
    chains.sort_by_key(|chain| chain.began_at);
    Ok(chains)
}

impl Event {
    fn parked_by(&self, service: &Service) -> Option<&ParkedState> {
        let mut parked = self.parked.iter();
        parked.find_map(|(by, parked)| (by.short == service.short).then_some(parked))
    }

    fn received_by(&self, service: &Service) -> Option<DateTime<Utc>> {
        let mut received = self.received.iter();
        received
            .find_map(|(by, received)| (by.short == service.short).then_some(received.received_at))
    }

    fn notified_by(&self, service: &Service) -> impl Iterator<Item = &Notification> {
        let notifications = self.notifications.iter();
        notifications
            .filter(move |(by, _)| by.short == service.short)
            .map(|(_, notification)| notification)
    }

    /// When it was published, where the service has neither handled nor parked it, and receives such events.
    pub(super) fn unreceived(&self, service: &Service) -> Option<(&ChainEvent, DateTime<Utc>)> {
        let (_, sent) = self.outbox.as_ref()?;
        let known = self.parked_by(service).is_some()
            || self.received_by(service).is_some()
            || self.notified_by(service).next().is_some();
        (!known && self.is_for(service)).then_some(())?;
        Some((sent, sent.published_at?))
    }
}

struct Fates<'a> {
    endpoints: &'a Endpoints,
    now: DateTime<Utc>,
    unreceived: Unreceived<'a>,
    /// Why events wait, by event and service.
    waits: HashMap<(Uuid, &'static str), Wait>,
}

impl Fates<'_> {
    fn chain(&self, events: Events) -> Chain {
        let mut traces: Vec<EventTrace> = order::in_order(&events)
            .into_iter()
            .map(|id| EventTrace {
                event_id: id,
                routing_key: events[&id].routing_key.clone(),
                publisher: events[&id].publisher(),
                hops: self.hops(id, &events[&id]),
            })
            .collect();
        let times = || {
            traces
                .iter()
                .flat_map(|event| &event.hops)
                .filter_map(|hop| hop.at)
        };
        let (began_at, ended_at) = (times().min(), times().max());
        let since = |at: Option<DateTime<Utc>>| {
            at.zip(began_at)
                .map(|(at, began)| (at - began).num_milliseconds())
        };
        let milliseconds = since(ended_at);
        for hop in traces.iter_mut().flat_map(|event| &mut event.hops) {
            hop.milliseconds = since(hop.at);
        }
        Chain {
            correlation_id: events.values().find_map(|event| event.correlation_id),
            began_at,
            complete: traces
                .iter()
                .flat_map(|event| &event.hops)
                .all(Hop::is_done),
            milliseconds,
            events: traces,
        }
    }

    fn hops(&self, id: Uuid, event: &Event) -> Vec<Hop> {
        let mut receptions: Vec<Vec<Hop>> = SERVICES
            .into_iter()
            .map(|service| self.received(id, event, service))
            .filter(|hops| !hops.is_empty())
            .collect();
        receptions.sort_by_key(|hops| (hops[0].at.is_none(), hops[0].at));
        let first = receptions.first().and_then(|hops| hops[0].at);
        let mut hops = receptions.into_iter().flatten().collect::<Vec<_>>();
        if let Some((service, sent)) = &event.outbox {
            let [committed, published] = self.sent(service, sent, first);
            // An event that is published again was received before by some.
            hops.insert(0, published);
            hops.sort_by_key(|hop| (hop.at.is_none(), hop.at));
            hops.insert(0, committed);
        }
        hops
    }

    /// The hops of an event at its producer. `received_at`: when the first consumer had it.
    fn sent(
        &self,
        service: &'static Service,
        sent: &ChainEvent,
        received_at: Option<DateTime<Utc>>,
    ) -> [Hop; 2] {
        let line = &self.endpoints.command_line;
        let committed = done(service, State::Committed, sent.created_at, "committed");
        let Some(published_at) = sent.published_at else {
            let waited = span(self.now - sent.created_at);
            let (state, what, advice) = if sent.unroutable_at.is_some() {
                (State::Unroutable, "no queue receives it", "topology apply")
            } else if sent.refused_at.is_some() {
                (State::Refused, "RabbitMQ refuses it", "doctor")
            } else {
                (State::Unpublished, "not published yet", "doctor")
            };
            let why = format!(
                "it was committed {waited} ago, and is published by itself as soon as possible"
            );
            return [
                committed,
                open(service, state, (what, why), line.operator(advice)),
            ];
        };
        // The broker's confirm may come after a consumer has the event.
        let is_again = received_at.is_some_and(|at| at + AGAIN < published_at);
        let (at, what) = match is_again {
            true => (published_at, "published again"),
            false => (
                received_at.map_or(published_at, |at| at.min(published_at)),
                "published",
            ),
        };
        [
            committed,
            done(service, State::Published, at.max(sent.created_at), what),
        ]
    }

    /// The hops of an event at a service. None: the service does not receive it.
    fn received(&self, id: Uuid, event: &Event, service: &'static Service) -> Vec<Hop> {
        let mut hops = Vec::new();
        if let Some(parked) = event.parked_by(service) {
            hops.push(self.parked(id, parked, service));
        } else if let Some(at) = event.received_by(service) {
            hops.push(done(service, State::Handled, at, "handled"));
        } else if let Some((sent, published_at)) = event.unreceived(service) {
            hops.push(self.unreceived.hop(service, sent, published_at));
        }
        hops.extend(event.notified_by(service).map(|notification| {
            let read = if notification.read_at.is_some() {
                "read"
            } else {
                "unread"
            };
            let what = format!("told: {} ({read})", notification.title);
            done(service, State::Notified, notification.written_at, &what)
        }));
        hops
    }

    fn parked(&self, id: Uuid, parked: &ParkedState, service: &'static Service) -> Hop {
        let at = Some(parked.first_at);
        if let Some(Wait { why, advice }) = self.waits.get(&(id, service.short)) {
            let what = match &parked.waits_for {
                Some(key) => format!("waits for {}", key.split(':').next().unwrap_or(key)),
                None => format!("waits ({})", parked.kind),
            };
            let hop = open(
                service,
                State::Waiting,
                (&what, why.clone()),
                advice.clone(),
            );
            return Hop { at, ..hop };
        }
        let why = format!(
            "it failed {} ago, and is not tried again by itself",
            span(self.now - parked.first_at)
        );
        let show = self
            .endpoints
            .command_line
            .operator(&format!("dead show {id}"));
        let what = format!("dead ({})", parked.kind);
        Hop {
            at,
            ..open(service, State::Dead, (&what, why), show)
        }
    }
}

pub(super) fn done(service: &'static Service, state: State, at: DateTime<Utc>, what: &str) -> Hop {
    Hop {
        milliseconds: None,
        at: Some(at),
        service: service.short,
        state,
        what: what.to_owned(),
        why: None,
        advice: None,
    }
}

/// A hop that has not happened: what it is in a few words and in a sentence, and what to do.
pub(super) fn open(
    service: &'static Service,
    state: State,
    (what, why): (&str, String),
    advice: String,
) -> Hop {
    Hop {
        milliseconds: None,
        at: None,
        service: service.short,
        state,
        what: what.to_owned(),
        why: Some(why),
        advice: Some(advice),
    }
}
