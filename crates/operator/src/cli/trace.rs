//! `medtrack trace`.

mod chain;

use super::text;
use crate::{
    endpoints::Endpoints,
    trace::{self, Choice, Knows, NOTIFICATIONS, Person, SubjectKind, Trace},
    views::Notification,
};
pub(super) use chain::print as print_chain;
use chrono::{DateTime, Local, Utc};
use std::process::ExitCode;

/// Complete chains are shown in one line each when there are more chains than this.
const IN_FULL: usize = 3;
/// Prints what the subject names. The exit code is 1 when that is nothing.
pub(super) async fn run(
    endpoints: &Endpoints,
    subject: &str,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let trace = trace::find(endpoints, subject).await?;
    let code = match trace.kind {
        SubjectKind::Nothing => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    };
    if json {
        say!("{}", text::json(&trace)?);
    } else {
        match trace.kind {
            SubjectKind::Nothing => say_nothing(endpoints, &trace),
            SubjectKind::Several => say_choices(endpoints, &trace),
            _ => say_found(endpoints, &trace),
        }
    }
    Ok(code)
}

fn say_found(endpoints: &Endpoints, trace: &Trace) {
    if let Some(person) = &trace.person {
        // What is stuck says why a service does not know the person yet.
        let is_settled = trace.chains.iter().all(|chain| chain.complete);
        say_person(person);
        if is_settled && person.differs() {
            say!("    try: {}", endpoints.command_line.operator("reconcile"));
        }
        say!("");
    } else if let Some(notification) = trace.notifications.first() {
        say!("notification of user {}", notification.user_id);
        say!("{}\n", in_a_line(notification));
    } else {
        let kind = match trace.kind {
            SubjectKind::CorrelationId => {
                "correlation id, which is also the request id of what began the chain"
            }
            SubjectKind::NamedId => "id that the events below are about or name",
            _ => "event id",
        };
        say!("{kind}\n");
    }
    let (short, full): (Vec<_>, Vec<_>) = trace
        .chains
        .iter()
        .partition(|chain| chain.complete && trace.chains.len() > IN_FULL);
    if !short.is_empty() {
        say!("complete; for the hops of one, trace its event id:");
        for chain in short {
            say!("  {}", chain::in_short(chain));
        }
        say!("");
    }
    for chain in full {
        print_chain(chain);
    }
    if trace.chains.is_empty() {
        say!("no event of the last days, and none is parked\n");
    }
    if trace.person.is_some() {
        say_notifications(&trace.notifications);
    }
}

fn say_person(person: &Person) {
    let role = person.role.as_deref().unwrap_or("role unknown");
    say!("user {}, {}", person.user_id, text::line(role));
    for (name, id) in [
        ("student id", person.student_id),
        ("encadrant id", person.encadrant_id),
    ] {
        if let Some(id) = id {
            say!("{name} {id}");
        }
    }
    let services = |wanted: Knows| {
        let records = person
            .services
            .iter()
            .filter(|record| record.record == wanted);
        let names: Vec<String> = records
            .map(|record| format!("{}-service", record.service))
            .collect();
        names.join(", ")
    };
    for (knows, label) in [
        (Knows::Known, "known to"),
        (Knows::Erased, "erased at"),
        (Knows::Unknown, "unknown to"),
    ] {
        let services = services(knows);
        if !services.is_empty() {
            say!("{label} {services}");
        }
    }
}

fn say_notifications(notifications: &[Notification]) {
    if notifications.is_empty() {
        say!("told nothing");
        return;
    }
    let unread = notifications
        .iter()
        .filter(|notification| notification.read_at.is_none());
    let newest = match notifications.len() as i64 {
        NOTIFICATIONS => format!(", the newest {NOTIFICATIONS}"),
        _ => String::new(),
    };
    say!("told{newest} ({} unread):", unread.count());
    for notification in notifications {
        say!("{}", in_a_line(notification));
    }
}

/// A notification in a line: when, whether it was read, its title.
fn in_a_line(notification: &Notification) -> String {
    let read = match notification.read_at {
        Some(_) => "read",
        None => "unread",
    };
    let (at, title) = (
        time(notification.occurred_at),
        text::line(&notification.title),
    );
    format!("  {at}  {read:<6}  {title}")
}

fn say_choices(endpoints: &Endpoints, trace: &Trace) {
    let subject = text::line(&trace.subject);
    let count = match trace.more {
        true => format!("more than {}", trace.choices.len()),
        false => trace.choices.len().to_string(),
    };
    say!("{count} persons have {subject} in their name or address:\n");
    for Choice {
        user_id,
        email,
        name,
    } in &trace.choices
    {
        let or_none =
            |text: &Option<String>| text::line(text.as_deref().unwrap_or("–")).into_owned();
        say!("{}", or_none(email));
        say!("  {user_id}  {}", or_none(name));
    }
    let user_id = trace.choices.first().map(|choice| choice.user_id);
    let trace = format!("trace {}", user_id.unwrap_or_default());
    say!("\n{}", endpoints.advice(&trace));
}

fn say_nothing(endpoints: &Endpoints, trace: &Trace) {
    let subject = text::line(&trace.subject);
    say!("nothing is stored about {subject}");
    let line = &endpoints.command_line;
    if !trace.near.is_empty() {
        say!("\nnear it are:");
        for address in &trace.near {
            say!("  {}", text::line(address));
        }
        let first = text::line(&trace.near[0]).into_owned();
        say!("{}", endpoints.advice(&format!("trace {first}")));
    }
    say!(
        "\n{}",
        text::wrap(
            "trace finds a person by e-mail, name, a part of either, user id, student id or encadrant id; an event by its \
             event id, correlation id or the id of what it is about; a notification by its id; and a request that changed \
             something by its request id. Published events are kept for 3 days, what an inbox has received for 90 days; \
             of a handled event of another publisher the correlation id is not kept.",
            text::WIDTH
        )
    );
    if trace.subject.parse::<uuid::Uuid>().is_ok() {
        say!("\na request that changed nothing stands in the logs only:");
        say!("    {}", line.logs_with(&subject));
    }
}

/// A time of this machine's zone: `26 Nov 2026 14:03:12`.
fn time(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local)
        .format("%e %b %Y %H:%M:%S")
        .to_string()
}
