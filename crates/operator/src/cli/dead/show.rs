//! `medtrack dead show`.

use super::{Person, say_wrapped};
use crate::{
    cli::text,
    dead::{
        self, Details, ParkedEvent,
        advice::{self, NextStep},
    },
    endpoints::Endpoints,
    words::ago,
};
use anyhow::bail;
use chrono::{DateTime, Utc};
use messaging::parked::Parked;
use uuid::Uuid;

/// Shows an event. With a person the payload is whole, and the look is recorded.
pub(super) async fn run(
    endpoints: &Endpoints,
    event_id: Uuid,
    person: Option<&Person>,
) -> anyhow::Result<()> {
    let details = dead::details(endpoints, event_id, person.map(Person::actor)).await?;
    let Some(Details { event, message }) = details else {
        bail!(
            "no such event is parked; {}, or {}",
            endpoints.advice("dead list --each"),
            endpoints
                .command_line
                .operator(&format!("trace {event_id}"))
        );
    };
    for (name, value) in lines(&event) {
        say!("{name:<12} {}", text::line(&value));
    }
    say!("");
    // A line of the message must not pass for one of ours.
    for line in message.lines() {
        say!("  {line}");
    }
    print_advice(endpoints, &event);
    Ok(())
}

fn print_advice(endpoints: &Endpoints, event: &ParkedEvent) {
    let advice = advice::of(event);
    say!("");
    say_wrapped("", &advice.text);
    let verb = |verb: &str| {
        let id = event.parked.event_id;
        endpoints
            .command_line
            .operator(&format!("dead {verb} {id}"))
    };
    match advice.next_step {
        NextStep::Publisher => say!("try: {}  when they have been told", verb("discard")),
        NextStep::Undo => say!("try: {}", verb("undo")),
        NextStep::Wait => say!("try: {}  to have it tried now", verb("replay")),
        NextStep::Nothing => {}
        NextStep::Replay => {
            say!("try: {}   when the cause is removed", verb("replay"));
            say!("     {}  when the event is not needed", verb("discard"));
        }
    }
}

fn lines(ParkedEvent { service, parked }: &ParkedEvent) -> Vec<(&str, String)> {
    let Parked {
        attempts,
        deliveries,
        ..
    } = parked;
    let time = |time: DateTime<Utc>| {
        format!(
            "{} ({} ago)",
            time.format("%Y-%m-%d %H:%M:%S UTC"),
            ago(time)
        )
    };
    let mut lines = vec![
        ("event", parked.event_id.to_string()),
        ("service", (*service).to_owned()),
        (
            "source",
            parked.source.clone().unwrap_or_else(|| "–".into()),
        ),
        ("routing key", parked.routing_key.clone()),
        ("state", parked.state.clone()),
        ("cause", parked.kind.clone()),
        ("reason", parked.reason.clone()),
        (
            "tries",
            match deliveries {
                1 => attempts.to_string(),
                _ => format!("{attempts} (delivered {deliveries} times)"),
            },
        ),
        ("parked", time(parked.first_at)),
        ("last tried", time(parked.last_at)),
    ];
    let waits_for = parked.waits_for.clone();
    lines.extend(waits_for.map(|what| ("waits for", what)));
    if let Some(due) = parked.due_at {
        let seconds = (due - Utc::now()).num_seconds().max(0);
        lines.push(("waits since", time(parked.waiting_since)));
        lines.push(("next try", format!("in {seconds} s")));
    }
    lines.extend(parked.discarded_at.map(|at| ("discarded", time(at))));
    lines
}
