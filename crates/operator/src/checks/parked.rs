//! Parked events of a service: dead ones, those without a handler, and those that wait.

use super::{
    expiring,
    finding::{Finding, Id, seconds_since},
};
use crate::{
    endpoints::Endpoints,
    words::{count, seconds},
};
use chrono::Utc;
use events::topology::Service;
use messaging::admin::{self, ParkedGroup};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// The cause of an event that no handler knows.
const UNKNOWN_KEY: &str = "unknown_key";
/// The cause of an event that waits for another one.
const WAITS: &str = "waits";
/// After so many seconds a person should look at an event that waits for another one.
const WAITS_SECONDS: u64 = 600;
/// After so many seconds a person should look at an event that is tried again.
const RETRIED_SECONDS: u64 = 60;
/// How many causes, or keys, are named in a sentence.
const NAMED: usize = 3;

pub(super) async fn check(
    endpoints: &Endpoints,
    service: &'static Service,
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<Finding>> {
    let groups = admin::parked_groups(connection).await?;
    let of = |state: &str, is_unknown: bool| -> Vec<&ParkedGroup> {
        let groups = groups.iter();
        groups
            .filter(|group| group.state == state && (group.kind == UNKNOWN_KEY) == is_unknown)
            .collect()
    };
    let check = Check { endpoints, service };
    let mut findings = Vec::new();
    findings.extend(check.dead(&of("dead", false)));
    findings.extend(check.unknown(&of("dead", true)));
    findings.extend(check.waiting(&of("waiting", false)));
    findings.extend(expiring::check(endpoints, service, connection).await?);
    if findings.is_empty() {
        let what = format!("{} has handled all events that it received", service.name);
        findings.push(Finding::good(Id::Parked, what).figure("events", 0));
    }
    let of_service = |finding: Finding| finding.of(service).unit(service.name);
    Ok(findings.into_iter().map(of_service).collect())
}

struct Check<'a> {
    endpoints: &'a Endpoints,
    service: &'static Service,
}

impl Check<'_> {
    fn dead(&self, groups: &[&ParkedGroup]) -> Option<Finding> {
        let Service { name, short, .. } = self.service;
        let events = total(groups);
        let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
        for group in groups {
            *causes.entry(&group.kind).or_default() += events_of(group);
        }
        let mut causes: Vec<_> = causes.into_iter().collect();
        causes.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
        let named = causes
            .iter()
            .map(|(cause, events)| format!("{events} {cause}"));
        (events > 0).then(|| {
            Finding::broken(
                Id::EventsDead,
                format!(
                    "{name} cannot handle {}: {}",
                    count(events, "event"),
                    list(named.collect())
                ),
            )
            .figure("events", events)
            .figure("oldest_seconds", oldest(groups))
            .hint("the others go on; each one says what is wrong with it and what helps")
            .try_(self.list(&format!("dead list --service {short}")))
        })
    }

    fn unknown(&self, groups: &[&ParkedGroup]) -> Option<Finding> {
        let Service { name, short, .. } = self.service;
        let events = total(groups);
        let named = groups.iter().map(|group| {
            let source = group.source.as_deref().unwrap_or("an unknown publisher");
            format!(
                "{} from {source} ({})",
                group.routing_key,
                count(events_of(group), "event")
            )
        });
        (events > 0).then(|| {
            Finding::warning(
                Id::UnknownKeys,
                format!(
                    "{name} has no handler for {}",
                    list(named.collect())
                ),
            )
            .figure("events", events)
            .hint(
                "a mistyped key, or an event that is newer than this service; they are kept for 7 days",
            )
            .try_(self.list(&format!("dead list --service {short}")))
        })
    }

    fn waiting(&self, groups: &[&ParkedGroup]) -> Option<Finding> {
        let (for_others, retried): (Vec<&ParkedGroup>, Vec<&ParkedGroup>) =
            groups.iter().partition(|group| group.kind == WAITS);
        let is_long = oldest(&for_others) >= WAITS_SECONDS || oldest(&retried) >= RETRIED_SECONDS;
        let (events, oldest) = (total(groups), oldest(groups));
        let Service { name, short, .. } = self.service;
        let due = groups.iter().filter_map(|group| group.due_at).min();
        let next = due.map_or(0, |due| (due - Utc::now()).num_seconds().max(0));
        let what = format!(
            "{} of {name} {}, the oldest for {}; the next try is in {}",
            count(events, "event"),
            match (events, retried.is_empty()) {
                (1, true) => "waits for another one",
                (_, true) => "wait for others",
                (1, false) => "is tried again",
                (_, false) => "are tried again",
            },
            seconds(oldest),
            seconds(next.unsigned_abs())
        );
        let finding = match (events, is_long) {
            (0, _) => return None,
            (_, false) => Finding::good(Id::Parked, what),
            (_, true) => Finding::warning(Id::EventsWaiting, what)
                .try_(self.list(&format!("dead list --waiting --service {short}"))),
        };
        Some(
            finding
                .figure("events", events)
                .figure("oldest_seconds", oldest),
        )
    }

    fn list(&self, verb: &str) -> String {
        self.endpoints.command_line.operator(verb)
    }
}

fn events_of(group: &ParkedGroup) -> u64 {
    group.events.try_into().unwrap_or_default()
}

fn total(groups: &[&ParkedGroup]) -> u64 {
    groups.iter().map(|group| events_of(group)).sum()
}

fn oldest(groups: &[&ParkedGroup]) -> u64 {
    let ages = groups.iter().map(|group| seconds_since(group.oldest));
    ages.max().unwrap_or_default()
}

/// The first of several names, and how many more there are.
fn list(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let text = names.join(", ");
    match more {
        0 => text,
        _ => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_the_first_and_counts_the_others() {
        let names = |n: usize| (0..n).map(|i| i.to_string()).collect();
        assert_eq!(list(names(2)), "0, 1");
        assert_eq!(list(names(5)), "0, 1, 2 and 2 more");
    }
}
