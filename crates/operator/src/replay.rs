//! Publishes again what a service has missed: compares the outboxes of all services with the inbox of one, page by page,
//! and marks what is missing. The relay of the producer then publishes the marked events under their old ids, so that
//! every other queue drops its copy.

use crate::{endpoints::Endpoints, topology, words::count};
use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use events::{
    catalogue::EVENTS,
    key,
    topology::{Queue, SERVICES, Service},
};
use messaging::admin::{self, Actor, Deed, Published, PublishedPage};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use std::collections::HashSet;
use uuid::Uuid;

/// How long a published event keeps its text: the housekeeping of messaging deletes older ones.
pub(crate) const TEXT_IS_KEPT: TimeDelta = TimeDelta::days(3);
/// How many events are compared, and marked, at once.
const PAGE: i64 = 5_000;

/// What is published again.
#[derive(Debug)]
pub(crate) struct Request {
    /// The service that has missed events.
    pub(crate) to: &'static Service,
    /// Only events that were published since.
    pub(crate) since: DateTime<Utc>,
    /// Only events with this routing key, or with keys that this pattern selects.
    pub(crate) key: Option<String>,
}

/// What was published again, or with a dry run would be.
#[derive(Debug, Serialize)]
pub(crate) struct Replay {
    /// The short name of the service that has missed events.
    pub(crate) to: &'static str,
    pub(crate) since: DateTime<Utc>,
    pub(crate) dry_run: bool,
    pub(crate) producers: Vec<Producer>,
}

/// The events of one producer.
#[derive(Debug, Serialize)]
pub(crate) struct Producer {
    /// The short name of the service that published them.
    pub(crate) service: &'static str,
    /// Those that the queue receives.
    pub(crate) events: u64,
    /// Those that the service has missed, and that are published again.
    pub(crate) published_again: u64,
    /// Those that the service has missed, and whose text is gone.
    pub(crate) without_text: u64,
}

impl Replay {
    /// The sum over all producers.
    pub(crate) fn sum(&self, of: impl Fn(&Producer) -> u64) -> u64 {
        self.producers.iter().map(of).sum()
    }

    /// Since when events were compared: what is older is not kept.
    pub(crate) fn compared_since(&self) -> DateTime<Utc> {
        self.since.max(Utc::now() - TEXT_IS_KEPT)
    }

    /// Whether it asks for events that are too old to be kept.
    pub(crate) fn is_older_than_kept(&self) -> bool {
        // A minute for the way from the command line to here.
        self.since < Utc::now() - TEXT_IS_KEPT - TimeDelta::minutes(1)
    }
}

/// Reads a time: RFC 3339, without a zone UTC, or how long ago it was (`30m`, `2h`, `3d`).
///
/// # Errors
/// Fails when it is none of these, or when it is to come.
pub(crate) fn read_since(text: &str) -> anyhow::Result<DateTime<Utc>> {
    let now = Utc::now();
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let number: u32 = number.parse().ok()?;
        let unit = match unit {
            "s" => TimeDelta::seconds(1),
            "m" => TimeDelta::minutes(1),
            "h" => TimeDelta::hours(1),
            "d" => TimeDelta::days(1),
            _ => return None,
        };
        now.checked_sub_signed(unit.checked_mul(number.try_into().ok()?)?)
    };
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let time = time.or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc()));
    let Some(time) = time.ok().or_else(ago) else {
        bail!(
            "this is no time; try: {}, or 2h for two hours ago",
            now.format("%Y-%m-%dT%H:%M:%SZ")
        );
    };
    if time > now {
        bail!(
            "this time is to come; now it is {} (UTC)",
            now.format("%Y-%m-%dT%H:%M:%SZ")
        );
    }
    Ok(time)
}

/// Finds the events that the service has missed. With an actor they are marked, and the audit records it. Calls `progress`
/// after each page.
pub(crate) async fn replay(
    endpoints: &Endpoints,
    request: &Request,
    actor: Option<Actor<'_>>,
    progress: impl Fn(&Producer),
) -> anyhow::Result<Replay> {
    let wanted = Wanted {
        queue: &request.to.queue,
        key: request.key.clone(),
    };
    wanted.ensure_some(endpoints)?;
    ensure_bound(endpoints, request.to).await?;
    let mut producers = Vec::with_capacity(SERVICES.len());
    for service in SERVICES {
        let mut comparison =
            Comparison::begin(endpoints, service, request.to, request.since).await?;
        let mut producer = Producer {
            service: service.short,
            events: 0,
            published_again: 0,
            without_text: 0,
        };
        while let Some(page) = comparison.next(&wanted).await? {
            let (kept, gone): (Vec<_>, Vec<_>) =
                page.missed.iter().partition(|event| event.has_text);
            let ids: Vec<Uuid> = kept.iter().map(|event| event.event_id).collect();
            producer.events += page.events;
            producer.without_text += gone.len() as u64;
            producer.published_again += match actor {
                None => ids.len() as u64,
                Some(actor) => comparison
                    .publish_again(request.to, &ids, actor)
                    .await
                    .with_context(|| format!("cannot mark events of {}", service.name))?,
            };
            progress(&producer);
        }
        producers.push(producer);
    }
    Ok(Replay {
        to: request.to.short,
        since: request.since,
        dry_run: actor.is_none(),
        producers,
    })
}

/// Fails where an event that is published again would be lost again.
async fn ensure_bound(endpoints: &Endpoints, to: &Service) -> anyhow::Result<()> {
    let missing = topology::missing_bindings(endpoints).await?;
    if let Some(missing) = missing.iter().find(|missing| missing.service == to.short) {
        bail!(
            "{} is not bound to {}: what is published again would be lost again; {}",
            missing.queue,
            missing.patterns.join(" "),
            endpoints.advice("topology apply")
        );
    }
    Ok(())
}

/// Selects the events that a queue receives.
pub(crate) struct Wanted {
    pub(crate) queue: &'static Queue,
    /// Only those with this routing key, or with keys that this pattern selects.
    pub(crate) key: Option<String>,
}

impl Wanted {
    fn fits(&self, routing_key: &str) -> bool {
        let mut patterns = self.queue.patterns.iter();
        patterns.any(|pattern| key::matches(pattern, routing_key))
            && self
                .key
                .as_ref()
                .is_none_or(|pattern| key::matches(pattern, routing_key))
    }

    fn ensure_some(&self, endpoints: &Endpoints) -> anyhow::Result<()> {
        if let Some(key) = &self.key
            && !EVENTS.iter().any(|entry| self.fits(entry.key))
        {
            bail!(
                "{} receives no event {key:?}; {}",
                self.queue.name,
                endpoints.advice("events list")
            );
        }
        Ok(())
    }
}

/// What one service has published, beside what another one has received.
pub(crate) struct Comparison {
    pub(crate) outbox: PgConnection,
    inbox: PgConnection,
    page: PublishedPage,
}

/// A page of events.
pub(crate) struct ComparedPage {
    /// How many of its events the queue receives.
    pub(crate) events: u64,
    /// Those that the reader has neither in its inbox nor parked.
    pub(crate) missed: Vec<Published>,
}

impl Comparison {
    /// Begins with the events that were published at `since`, and ends with those that are published by now: what is
    /// marked meanwhile is not met again.
    pub(crate) async fn begin(
        endpoints: &Endpoints,
        producer: &Service,
        reader: &Service,
        since: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let mut outbox = endpoints.database(producer).await?;
        Ok(Self {
            inbox: endpoints.database(reader).await?,
            page: PublishedPage {
                after: (since, Uuid::nil()),
                until: admin::now(&mut outbox).await?,
                limit: PAGE,
            },
            outbox,
        })
    }

    /// Leaves out what was published later than `grace` ago: it may be under way.
    pub(crate) fn end_before(&mut self, grace: TimeDelta) {
        self.page.until -= grace;
    }

    /// Marks events of a page, so that the relay publishes them again. Returns how many it marked.
    async fn publish_again(
        &mut self,
        to: &Service,
        ids: &[Uuid],
        actor: Actor<'_>,
    ) -> sqlx::Result<u64> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.outbox.begin().await?;
        let marked = admin::publish_again(&mut transaction, ids).await?;
        let detail = format!("{} for {}", count(marked, "event"), to.name);
        let deed = Deed {
            verb: "publish_again",
            event_id: None,
            routing_key: "",
            detail: &detail,
        };
        admin::record(&mut transaction, actor, &deed).await?;
        transaction.commit().await?;
        Ok(marked)
    }

    /// Compares the next page. `None`: there are no more events.
    pub(crate) async fn next(&mut self, wanted: &Wanted) -> anyhow::Result<Option<ComparedPage>> {
        let mut events = admin::published(&mut self.outbox, &self.page).await?;
        let Some(last) = events.last() else {
            return Ok(None);
        };
        self.page.after = (last.published_at, last.event_id);
        events.retain(|event| wanted.fits(&event.routing_key));
        let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
        let missed = admin::missed(&mut self.inbox, &ids).await?;
        let missed: HashSet<Uuid> = missed.into_iter().collect();
        Ok(Some(ComparedPage {
            events: events.len() as u64,
            missed: events
                .into_iter()
                .filter(|event| missed.contains(&event.event_id))
                .collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::topology::{AUTH, COMM};

    #[test]
    fn a_time_is_read_with_or_without_a_zone_or_as_an_age() {
        let at = |text| read_since(text).unwrap();
        assert_eq!(at("2026-01-05T10:00:00Z"), at("2026-01-05T11:00:00+01:00"));
        assert_eq!(at("2026-01-05T10:00:00Z"), at("2026-01-05T10:00:00"));
        let ago = at("2h");
        let age = Utc::now() - ago;
        assert!(age >= TimeDelta::hours(2) && age < TimeDelta::minutes(121));
        for bad in ["", "h", "é", "yesterday", "2y", "-2h", "99999999999d"] {
            let error = read_since(bad).unwrap_err().to_string();
            assert!(error.contains("try:"), "{bad}: {error}");
        }
        let error = read_since("2999-01-01T00:00:00Z").unwrap_err();
        assert!(error.to_string().contains("to come"), "{error}");
    }

    #[test]
    fn only_what_the_queue_receives_is_wanted() {
        let wanted = |service: &'static Service, key: Option<&str>| Wanted {
            queue: &service.queue,
            key: key.map(str::to_owned),
        };
        assert!(wanted(&COMM, None).fits("student.updated"));
        assert!(!wanted(&AUTH, None).fits("student.updated"));
        assert!(wanted(&COMM, Some("student.*")).fits("student.updated"));
        assert!(!wanted(&COMM, Some("student.created")).fits("student.updated"));
        let endpoints = Endpoints::none();
        assert!(
            wanted(&COMM, Some("student.*"))
                .ensure_some(&endpoints)
                .is_ok()
        );
        let refused = wanted(&COMM, Some("auth.user.created")).ensure_some(&endpoints);
        assert!(refused.unwrap_err().to_string().contains("try:"));
    }
}
