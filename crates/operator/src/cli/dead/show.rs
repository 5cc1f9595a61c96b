//! `medtrack dead show`.

use crate::{
    age::ago,
    cli::text,
    dead::{self, Details, ParkedEvent},
    endpoints::Endpoints,
};
use anyhow::bail;
use messaging::parked::Parked;
use uuid::Uuid;

pub(super) async fn run(
    endpoints: &Endpoints,
    event_id: Uuid,
    payload: bool,
) -> anyhow::Result<()> {
    let Some(Details { event, body }) = dead::details(endpoints, event_id).await? else {
        bail!(
            "no such event is parked; {}, or {}",
            endpoints.advice("dead list --each"),
            endpoints
                .command_line
                .operator(&format!("trace {event_id}"))
        );
    };
    for (name, value) in lines(&event, payload) {
        say!("{name:<12} {}", text::line(&value));
    }
    let message = match payload {
        true => String::from_utf8_lossy(&body).into_owned(),
        false => dead::masked(&body),
    };
    say!("");
    // A line of the message must not pass for one of ours.
    for line in message.lines() {
        say!("  {line}");
    }
    if event.parked.state == "dead" {
        let line = &endpoints.command_line;
        let (replay, discard) = (
            line.operator(&format!("dead replay {event_id}")),
            line.operator(&format!("dead discard {event_id}")),
        );
        say!("\ntry: {replay}   when the cause is removed");
        say!("     {discard}  when the event is not needed");
    }
    Ok(())
}

fn lines(ParkedEvent { service, parked }: &ParkedEvent, payload: bool) -> Vec<(&str, String)> {
    let Parked {
        attempts,
        deliveries,
        first_at,
        last_at,
        reason,
        ..
    } = parked;
    let mut lines = vec![
        ("event", parked.event_id.to_string()),
        ("service", (*service).to_owned()),
        ("routing key", parked.routing_key.clone()),
        ("state", parked.state.clone()),
        ("cause", parked.kind.clone()),
        (
            "tries",
            format!("{attempts} (delivered {deliveries} times)"),
        ),
        ("parked", format!("{first_at} ({} ago)", ago(*first_at))),
        ("last tried", format!("{last_at} ({} ago)", ago(*last_at))),
    ];
    let waits_for = parked.waits_for.clone();
    lines.extend(waits_for.map(|what| ("waits for", what)));
    lines.extend(parked.due_at.map(|due| ("tried again", due.to_string())));
    lines.push(match payload {
        true => ("reason", reason.clone()),
        false => {
            // What follows the colon may quote the message.
            let cause = reason.split(':').next().unwrap_or_default();
            ("reason", format!("{cause} … (whole with --payload)"))
        }
    });
    lines
}
