//! What to do about a parked event. It depends on the cause: what its publisher must mend, no replay helps.

use super::ParkedEvent;

/// The next step for an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum NextStep {
    /// It ends by itself, or by a replay that saves time.
    Wait,
    /// A replay, when the cause is removed.
    Replay,
    /// The publisher sends another event; this one may be discarded.
    Publisher,
    /// It was discarded and can be brought back.
    Undo,
    /// It has no body any more.
    Nothing,
}

/// What to do about an event, in one sentence or two.
#[derive(Debug, PartialEq)]
pub(crate) struct Advice {
    pub(crate) next_step: NextStep,
    pub(crate) text: String,
}

/// Returns what to do about an event.
pub(crate) fn of(ParkedEvent { service, parked }: &ParkedEvent) -> Advice {
    let source = parked.source.as_deref().filter(|source| !source.is_empty());
    let source = source.unwrap_or("the publisher");
    let (next_step, text) = match (parked.state.as_str(), parked.kind.as_str()) {
        (_, "erased") => (
            NextStep::Nothing,
            "Its body was deleted, so it cannot be handled; nothing needs to be done.".to_owned(),
        ),
        ("discarded", _) => (
            NextStep::Undo,
            "It was discarded. Its body is kept for 7 days; until then it can be brought back."
                .into(),
        ),
        ("waiting", "waits") => (
            NextStep::Wait,
            format!(
                "It is handled as soon as {} arrives, and is dead after 30 days. When that can never arrive, tell \
                 the people of {source}: the id is wrong.",
                parked.waits_for.as_deref().unwrap_or("another event")
            ),
        ),
        ("waiting", _) => (
            NextStep::Wait,
            "It is tried again by itself; nothing needs to be done now.".into(),
        ),
        (_, kind) => of_dead(kind, service, source),
    };
    Advice { next_step, text }
}

fn of_dead(kind: &str, service: &str, source: &str) -> (NextStep, String) {
    match kind {
        "bad_payload" | "not_an_envelope" | "not_json" | "not_utf8" | "empty" | "too_large"
        | "wrong_key" | "bad_version" | "no_time" | "bad_time" => (
            NextStep::Publisher,
            format!(
                "Tell the people of {source} the reason above. They must mend it and send the event again; a replay \
                 does not help."
            ),
        ),
        "time_ahead" => (
            NextStep::Replay,
            format!(
                "Tell the people of {source} that their clock is ahead. A replay helps when that time has come."
            ),
        ),
        "schema_version" => (
            NextStep::Replay,
            format!("Upgrade {service}-service, then replay."),
        ),
        "unknown_key" => (
            NextStep::Replay,
            format!(
                "Is the routing key mistyped? Tell the people of {source}: they must send the event again. Is it a new \
                 one? Upgrade {service}-service, then replay."
            ),
        ),
        "foreign_change" | "foreign_deletion" => (
            NextStep::Replay,
            format!(
                "{source} wants to change or erase a user of this system. A replay does it; a discard leaves the user as is."
            ),
        ),
        "waits" => (
            NextStep::Replay,
            format!(
                "What it waits for has not arrived in 30 days. Tell the people of {source}: the id may be wrong. A \
                 replay helps when it has arrived."
            ),
        ),
        "crashed" | "panic" => (
            NextStep::Replay,
            format!("{service}-service has a fault. Look at its log, upgrade it, then replay."),
        ),
        _ => (
            NextStep::Replay,
            "Remove the cause, then replay.".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;
    use messaging::parked::Parked;
    use uuid::Uuid;

    fn advice(state: &str, kind: &str) -> Advice {
        let now = Utc::now();
        of(&ParkedEvent {
            service: "comm",
            parked: Parked {
                event_id: Uuid::nil(),
                state: state.into(),
                routing_key: "stage.created".into(),
                kind: kind.into(),
                reason: "field student_id: missing".into(),
                source: Some("core-service".into()),
                waits_for: Some("student:1".into()),
                attempts: 1,
                deliveries: 1,
                due_at: None,
                first_at: now,
                last_at: now,
                waiting_since: now,
                discarded_at: None,
                is_without_body: false,
            },
        })
    }

    #[test]
    fn each_cause_has_its_own_advice() {
        for (state, kind, step, part) in [
            (
                "dead",
                "bad_payload",
                NextStep::Publisher,
                "Tell the people of core-service",
            ),
            (
                "dead",
                "schema_version",
                NextStep::Replay,
                "Upgrade comm-service",
            ),
            ("dead", "unknown_key", NextStep::Replay, "mistyped"),
            ("dead", "database", NextStep::Replay, "Remove the cause"),
            (
                "waiting",
                "waits",
                NextStep::Wait,
                "as soon as student:1 arrives",
            ),
            ("waiting", "slow", NextStep::Wait, "by itself"),
            ("discarded", "bad_payload", NextStep::Undo, "7 days"),
            ("discarded", "erased", NextStep::Nothing, "deleted"),
        ] {
            let advice = advice(state, kind);
            assert_eq!(advice.next_step, step, "{state} {kind}");
            assert!(advice.text.contains(part), "{advice:?}");
        }
    }
}
