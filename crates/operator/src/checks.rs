//! The checks: what works, what does not, why, and what to do about it. They implement the troubleshooting steps of the
//! original document.

mod broker;
mod causes;
mod database;
mod expiring;
mod finding;
mod gateway;
mod locks;
mod mails;
mod missed;
mod parked;
mod probe;
mod processes;
mod queues;
mod restarts;
mod stack;
mod users;

pub(crate) use finding::{Finding, Id, Level};

use crate::endpoints::Endpoints;

/// Runs all checks at once. The causes come first, the worst before the others.
pub(crate) async fn run(endpoints: &Endpoints) -> Vec<Finding> {
    if let Some(down) = stack::down(endpoints).await {
        return vec![down];
    }
    let (database, broker, missed, processes, gateway, users) = tokio::join!(
        database::check(endpoints),
        broker::check(endpoints),
        missed::check(endpoints),
        processes::check(endpoints),
        gateway::check(endpoints),
        users::check(endpoints),
    );
    let all = [database, broker, missed, processes, users];
    let findings = all.into_iter().flatten();
    let findings = findings
        .chain(gateway)
        .chain(stack::unsupervised(endpoints));
    causes::relate(findings.collect())
}
