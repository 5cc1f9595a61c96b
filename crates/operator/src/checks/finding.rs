//! What a check has found.

use chrono::{DateTime, Utc};
use events::topology::Service;
use serde::Serialize;
use std::collections::BTreeMap;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Good,
    /// The system works; a person should look.
    Warning,
    /// Something does not work.
    Broken,
}

/// The name of a finding, which stays the same in all versions. In JSON: `broker_unreachable`.
///
/// The order is that of causes: a finding follows only from one whose name stands before its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Id {
    StackDown,
    LauncherGone,
    AddressMissing,
    DatabaseUnreachable,
    DatabaseUnresponsive,
    DatabaseRefused,
    BrokerUnreachable,
    BrokerUnresponsive,
    BrokerRefused,
    ManagementUnreachable,
    DiskAlarm,
    MemoryAlarm,
    TableLocked,
    QueueForeign,
    QueueMissing,
    BindingMissing,
    ExchangeForeign,
    ProcessStopped,
    ProcessCrashing,
    ProcessDown,
    ProcessUnresponsive,
    ProcessNotReady,
    RelayFailing,
    RestartLoop,
    GatewayUnreachable,
    GatewayUnresponsive,
    GatewayError,
    QueueWithoutConsumer,
    QueueBacklog,
    MessagesCrashed,
    EventsUnroutable,
    EventsRefused,
    EventsUnpublished,
    EventsDead,
    BodiesExpiring,
    MailsWaiting,
    MailsFailed,
    UnknownKeys,
    EventsWaiting,
    EventsMissed,
    EventsMissedWithoutText,
    ComparisonUnfinished,
    ProfileWithoutUser,
    UsersDiffer,
    // What is good has the name of its check.
    Database,
    Broker,
    BrokerResources,
    Process,
    Restarts,
    Gateway,
    Queue,
    Outbox,
    Parked,
    Delivery,
    Users,
}

/// A finding that another one follows from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cause {
    pub(crate) id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
}

/// The result of a check.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) id: Id,
    pub(crate) level: Level,
    /// The process, the server, the queue or the table that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// The short name of the service that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<&'static str>,
    /// One sentence without a full stop.
    pub(crate) what: String,
    /// Times are in seconds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) figures: BTreeMap<&'static str, u64>,
    /// What happens next by itself, or what a person does where no command does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// Commands, in the order in which they are typed.
    #[serde(rename = "try", skip_serializing_if = "Vec::is_empty")]
    pub(crate) advice: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) follows_from: Option<Cause>,
    /// The checks of its readiness that a process fails.
    #[serde(skip)]
    pub(crate) failing: Vec<String>,
}

impl Finding {
    fn new(level: Level, id: Id, what: impl Into<String>) -> Self {
        Self {
            id,
            level,
            unit: None,
            service: None,
            what: what.into(),
            figures: BTreeMap::new(),
            hint: None,
            advice: Vec::new(),
            follows_from: None,
            failing: Vec::new(),
        }
    }

    pub(crate) fn good(id: Id, what: impl Into<String>) -> Self {
        Self::new(Level::Good, id, what)
    }

    pub(crate) fn warning(id: Id, what: impl Into<String>) -> Self {
        Self::new(Level::Warning, id, what)
    }

    pub(crate) fn broken(id: Id, what: impl Into<String>) -> Self {
        Self::new(Level::Broken, id, what)
    }

    pub(crate) fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    pub(crate) fn of(mut self, service: &'static Service) -> Self {
        self.service = Some(service.short);
        self
    }

    pub(crate) fn figure(mut self, name: &'static str, value: u64) -> Self {
        self.figures.insert(name, value);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a command to type.
    pub(crate) fn try_(mut self, command: impl Into<String>) -> Self {
        self.advice.push(command.into());
        self
    }

    pub(crate) fn cause(&self) -> Cause {
        Cause {
            id: self.id,
            unit: self.unit.clone(),
        }
    }

    /// A figure; 0 where the finding does not have it.
    pub(crate) fn get(&self, figure: &str) -> u64 {
        self.figures.get(figure).copied().unwrap_or_default()
    }
}

/// How many seconds ago a time was.
pub(crate) fn seconds_since(time: DateTime<Utc>) -> u64 {
    (Utc::now() - time)
        .num_seconds()
        .try_into()
        .unwrap_or_default()
}
