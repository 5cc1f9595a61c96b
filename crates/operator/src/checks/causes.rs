//! Which finding follows from which: a person mends the cause, and what follows from it goes with it.

use super::finding::{Finding, Id, Level};
use events::topology::AUTH;

/// Names the cause of each finding that follows from another one, drops what its cause makes meaningless, and puts the
/// causes that matter most first.
pub(super) fn relate(mut findings: Vec<Finding>) -> Vec<Finding> {
    drop_explained_differences(&mut findings);
    let causes: Vec<_> = findings
        .iter()
        .map(|finding| {
            let mut causes: Vec<&Finding> = findings
                .iter()
                .filter(|cause| cause.id < finding.id && explains(cause, finding))
                .collect();
            causes.sort_by_key(|cause| cause.id);
            causes.first().map(|cause| cause.cause())
        })
        .collect();
    for (finding, cause) in findings.iter_mut().zip(causes) {
        finding.follows_from = cause;
    }
    say_what_goes_on(&mut findings);
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.id));
    findings
}

/// What is broken between two services leaves users for whom a service has missed an event. Only an event that the
/// repair does not bring is worth a line of its own.
fn drop_explained_differences(findings: &mut Vec<Finding>) {
    let explained = findings.iter().any(|finding| {
        finding.level == Level::Broken
            && !matches!(finding.id, Id::ProfileWithoutUser | Id::UsersDiffer)
            || matches!(finding.id, Id::EventsWaiting)
    });
    findings.retain(|finding| finding.id != Id::UsersDiffer || !explained);
}

fn explains(cause: &Finding, finding: &Finding) -> bool {
    if cause.level == Level::Good || finding.level == Level::Good {
        return false;
    }
    let same_service = cause.service.is_some() && cause.service == finding.service;
    // A server that all services use has no service.
    let concerns = cause.service.is_none() || same_service;
    let fails = |check: &str| finding.failing.iter().any(|failing| failing == check);
    match (cause.id, finding.id) {
        (Id::DatabaseUnreachable | Id::DatabaseUnresponsive, Id::ProcessNotReady) => {
            concerns && (fails("database") || fails("consumer"))
        }
        (Id::DatabaseUnreachable | Id::DatabaseUnresponsive, _) => {
            concerns
                && matches!(
                    finding.id,
                    Id::QueueWithoutConsumer
                        | Id::ProcessDown
                        | Id::GatewayError
                        | Id::RelayFailing
                        | Id::QueueBacklog
                )
        }
        (Id::BrokerUnreachable | Id::BrokerUnresponsive, Id::ProcessNotReady) => {
            fails("consumer") && !fails("database")
        }
        (Id::BrokerUnreachable | Id::BrokerUnresponsive, _) => matches!(
            finding.id,
            Id::EventsUnpublished | Id::EventsUnroutable | Id::RelayFailing
        ),
        (Id::DiskAlarm | Id::MemoryAlarm, _) => matches!(
            finding.id,
            Id::EventsUnpublished | Id::RelayFailing | Id::QueueBacklog
        ),
        (Id::TableLocked, _) => {
            same_service
                && matches!(
                    finding.id,
                    Id::ProcessNotReady
                        | Id::QueueWithoutConsumer
                        | Id::QueueBacklog
                        | Id::EventsWaiting
                        | Id::EventsUnpublished
                )
        }
        (Id::QueueForeign | Id::QueueMissing, Id::EventsUnroutable) => true,
        (Id::QueueForeign | Id::QueueMissing, _) => {
            same_service && matches!(finding.id, Id::ProcessNotReady | Id::QueueWithoutConsumer)
        }
        (Id::BindingMissing, Id::EventsUnroutable) => true,
        (
            Id::ProcessStopped | Id::ProcessCrashing | Id::ProcessDown | Id::ProcessUnresponsive,
            _,
        ) => same_service && follows_from_process(cause, finding),
        (Id::ProcessNotReady | Id::RelayFailing, _) => {
            same_service && follows_from_process(cause, finding)
        }
        _ => false,
    }
}

/// Of one service: its consumer leaves a queue, its API the gateway and the outbox.
fn follows_from_process(process: &Finding, finding: &Finding) -> bool {
    let is_consumer = process
        .unit
        .as_ref()
        .is_some_and(|unit| unit.contains("-consumer"));
    match finding.id {
        Id::QueueWithoutConsumer | Id::QueueBacklog => is_consumer,
        Id::GatewayError => !is_consumer && process.service == Some("auth"),
        Id::EventsUnpublished => true,
        Id::MailsWaiting => !is_consumer,
        Id::RestartLoop => process.unit == finding.unit,
        _ => false,
    }
}

/// Without the broker users still register, unless something else keeps them from it.
fn say_what_goes_on(findings: &mut [Finding]) {
    let registration_fails = findings.iter().any(|finding| match finding.id {
        Id::DatabaseUnreachable
        | Id::DatabaseUnresponsive
        | Id::DatabaseRefused
        | Id::GatewayUnreachable
        | Id::GatewayUnresponsive
        | Id::GatewayError => true,
        Id::ProcessStopped
        | Id::ProcessCrashing
        | Id::ProcessDown
        | Id::ProcessUnresponsive
        | Id::ProcessNotReady => finding.unit.as_deref() == Some(AUTH.name),
        _ => false,
    });
    let takes_no_event = [
        Id::BrokerUnreachable,
        Id::BrokerUnresponsive,
        Id::DiskAlarm,
        Id::MemoryAlarm,
    ];
    for finding in findings
        .iter_mut()
        .filter(|finding| takes_no_event.contains(&finding.id))
    {
        let goes_on = match registration_fails {
            true => "events are kept in the outboxes, none is lost",
            false => "users register as before; their events are kept, none is lost",
        };
        let hint = finding.hint.take();
        finding.hint = Some(match hint {
            Some(hint) => format!("{hint}; {goes_on}"),
            None => goes_on.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::topology::{COMM, SERVICES};

    fn not_ready(service: &'static events::topology::Service, check: &str) -> Finding {
        let mut finding = Finding::broken(Id::ProcessNotReady, "not ready")
            .unit(format!("{}-consumer", service.short))
            .of(service);
        finding.failing = vec![check.to_owned()];
        finding
    }

    fn roots(findings: &[Finding]) -> Vec<Id> {
        let roots = findings.iter().filter(|one| one.follows_from.is_none());
        roots.map(|one| one.id).collect()
    }

    #[test]
    fn a_broker_that_is_down_explains_its_consumers_and_the_outboxes() {
        let mut findings: Vec<Finding> = SERVICES
            .into_iter()
            .map(|service| not_ready(service, "consumer"))
            .collect();
        let outbox = Finding::broken(Id::EventsUnpublished, "5 events wait");
        findings.push(outbox.of(&AUTH).unit(AUTH.name));
        findings.push(Finding::broken(Id::UsersDiffer, "one user differs"));
        findings.push(Finding::good(Id::Database, "PostgreSQL answers"));
        findings.push(Finding::broken(
            Id::BrokerUnreachable,
            "RabbitMQ does not run",
        ));
        let related = relate(findings);
        assert_eq!(roots(&related), [Id::BrokerUnreachable, Id::Database]);
        let hint = related[0].hint.as_deref();
        assert!(hint.is_some_and(|hint| hint.starts_with("users register as before")));
    }

    #[test]
    fn what_has_another_cause_stays() {
        let related = relate(vec![
            not_ready(&COMM, "database"),
            Finding::broken(Id::BrokerUnreachable, "RabbitMQ does not run"),
            Finding::broken(Id::EventsDead, "an event is dead").of(&AUTH),
        ]);
        assert_eq!(
            roots(&related),
            [Id::BrokerUnreachable, Id::ProcessNotReady, Id::EventsDead]
        );
    }

    #[test]
    fn a_stopped_consumer_explains_its_own_queue_only() {
        let queue = |service: &'static events::topology::Service| {
            Finding::broken(Id::QueueWithoutConsumer, "no consumer").of(service)
        };
        let related = relate(vec![
            queue(&COMM),
            queue(&AUTH),
            Finding::broken(Id::ProcessStopped, "stopped")
                .unit("comm-consumer")
                .of(&COMM),
        ]);
        assert_eq!(
            roots(&related),
            [Id::ProcessStopped, Id::QueueWithoutConsumer]
        );
    }

    #[test]
    fn the_broken_come_before_the_warnings() {
        let related = relate(vec![
            Finding::good(Id::Broker, "RabbitMQ answers"),
            Finding::warning(Id::RestartLoop, "started again"),
            Finding::broken(Id::EventsDead, "an event is dead"),
        ]);
        let ids: Vec<Id> = related.iter().map(|one| one.id).collect();
        assert_eq!(ids, [Id::EventsDead, Id::RestartLoop, Id::Broker]);
    }
}
