//! A chain of events, as a person reads it.

use super::time;
use crate::{
    cli::text,
    trace::{Chain, EventTrace, Hop},
    words::{ago, span},
};
use chrono::{Local, TimeDelta};
use events::topology::SERVICES;

/// Prints the events of a chain with their hops, then where it is stuck.
pub(crate) fn print(chain: &Chain) {
    if let Some(began) = chain.began_at {
        let zone = began.with_timezone(&Local).format("%:z");
        say!("{} {zone}, {} ago", time(began).trim_start(), ago(began));
    }
    if let Some(correlation_id) = chain.correlation_id {
        say!("correlation id {correlation_id}");
    }
    for event in &chain.events {
        let head = format!("  {}  ", text::line(&event.routing_key));
        let id = event.event_id.to_string();
        match head.chars().count() + id.len() > text::WIDTH {
            true => say!("{}\n    {id}", head.trim_end()),
            false => say!("{head}{id}"),
        }
        let publisher = event.publisher.as_deref().unwrap_or_default();
        if SERVICES.iter().all(|service| service.name != publisher) && !publisher.is_empty() {
            say!("    published by {}", text::line(publisher));
        }
        for hop in &event.hops {
            say!("{}", line(hop));
        }
    }
    if chain.complete {
        say!(
            "complete in {}",
            milliseconds(chain.milliseconds.unwrap_or_default())
        );
    }
    for event in &chain.events {
        for hop in event.hops.iter().filter(|hop| !hop.is_done()) {
            say_stuck(event, hop);
        }
    }
    say!("");
}

/// A hop in a line: since when, where, what.
fn line(hop: &Hop) -> String {
    let since = hop.milliseconds.map_or("–".into(), milliseconds);
    let head = format!("  {since:>12}  {:<7}  ", hop.service);
    text::hanging(&head, &text::line(&hop.what), text::WIDTH)
}

fn say_stuck(event: &EventTrace, hop: &Hop) {
    let why = hop.why.as_deref().unwrap_or(&hop.what);
    let stuck = format!(
        "{} is stuck at {}-service: {}: {why}",
        event.routing_key, hop.service, hop.what
    );
    say!("{}", text::wrap(&text::line(&stuck), text::WIDTH));
    if let Some(advice) = &hop.advice {
        say!("    try: {advice}");
    }
}

/// A chain in a line: when it began, the event that began it.
pub(super) fn in_short(chain: &Chain) -> String {
    let began = chain.began_at.map(time).unwrap_or_default();
    let event = chain.events.first();
    let id = event.map(|event| event.event_id.to_string());
    let key = event.map(|event| text::line(&event.routing_key).into_owned());
    format!(
        "{began}  {}  {}",
        id.unwrap_or_default(),
        key.unwrap_or_default()
    )
}

fn milliseconds(milliseconds: i64) -> String {
    span(TimeDelta::milliseconds(milliseconds))
}
