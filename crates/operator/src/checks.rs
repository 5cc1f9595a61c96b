//! The checks: what works, what does not, and what to do about it. They implement the troubleshooting steps of the
//! original document.

mod broker;
mod database;
mod gateway;
mod missed;
mod processes;

use crate::endpoints::Endpoints;
use events::topology::SERVICES;
use futures_util::future::join_all;
use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Good,
    /// The system works; a person should look.
    Warning,
    /// Something does not work.
    Broken,
}

/// The result of a check.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) what: String,
    /// A command, or what to do in words.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        Self {
            level: Level::Good,
            what: what.into(),
            advice: None,
        }
    }

    fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            what: what.into(),
            advice: Some(advice.into()),
        }
    }

    fn broken(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Broken,
            what: what.into(),
            advice: Some(advice.into()),
        }
    }
}

/// Runs all checks at once.
pub(crate) async fn run(endpoints: &Endpoints) -> Vec<Finding> {
    let (databases, broker, missed, processes, gateway) = tokio::join!(
        join_all(SERVICES.map(|service| database::check(endpoints, service))),
        broker::check(endpoints),
        missed::check(endpoints),
        processes::check(endpoints),
        gateway::check(endpoints),
    );
    let databases = databases.into_iter().flatten();
    databases
        .chain(broker)
        .chain(missed)
        .chain(processes)
        .chain(gateway)
        .collect()
}

/// Returns the outermost message of an error, without its own advice.
fn without_advice(error: &anyhow::Error) -> String {
    let text = error.to_string();
    text.split("; try:").next().unwrap_or_default().to_owned()
}
