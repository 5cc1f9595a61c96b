//! Has parked events handled again, and waits for what becomes of them.
//!
//! Events of one service with the same routing key and cause are a group. Of a group of more than three, three are tried
//! first: when the cause is still there, the others are left as they are.

use super::{ParkedEvent, service_of};
use crate::endpoints::Endpoints;
use anyhow::Context as _;
use messaging::admin::{self, Actor, Retried};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How many events of a group are tried before the others.
const CANARY: usize = 3;
/// The pause between two looks at the events.
const PAUSE: Duration = Duration::from_millis(200);

/// What became of the events of a group.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) service: &'static str,
    pub(crate) routing_key: String,
    /// The cause before.
    pub(crate) kind: String,
    pub(crate) done: usize,
    /// Dead again, by their causes.
    pub(crate) dead: BTreeMap<String, usize>,
    /// Tried, and tried again later, by their causes.
    pub(crate) waiting: BTreeMap<String, usize>,
    /// The consumer had not tried them when the time was over.
    pub(crate) untried: usize,
    /// They have no body, or were changed meanwhile.
    pub(crate) unchanged: usize,
    /// They were not replayed, because those that were tried first did not pass.
    pub(crate) left: usize,
}

impl Outcome {
    /// Whether an event that was tried has failed as it did before, or none was tried.
    fn has_the_same_cause(&self) -> bool {
        let same = |events: &BTreeMap<String, usize>| events.contains_key(&self.kind);
        same(&self.dead) || same(&self.waiting) || self.untried > 0
    }

    fn is_as_wanted(&self) -> bool {
        self.dead.is_empty() && self.untried == 0 && self.left == 0
    }
}

/// What became of all events.
pub(crate) struct Replay {
    pub(crate) groups: Vec<Outcome>,
}

impl Replay {
    /// Whether each event is handled or tried again by itself.
    pub(crate) fn is_as_wanted(&self) -> bool {
        self.groups.iter().all(Outcome::is_as_wanted)
    }
}

struct Group {
    outcome: Outcome,
    ids: Vec<Uuid>,
    /// Those of the ids that were replayed in this step.
    started: Vec<Uuid>,
}

/// Replays events. Waits for the outcome of each of the two steps for at most `patience`; without patience all are
/// replayed at once.
pub(crate) async fn replay(
    endpoints: &Endpoints,
    events: &[ParkedEvent],
    actor: Actor<'_>,
    patience: Duration,
) -> anyhow::Result<Replay> {
    let mut groups = groups(events);
    for group in &mut groups {
        let count = match patience.is_zero() || group.ids.len() <= CANARY {
            true => group.ids.len(),
            false => CANARY,
        };
        group.start(endpoints, count, actor).await?;
    }
    follow(endpoints, &mut groups, patience).await?;
    for group in &mut groups {
        match group.outcome.has_the_same_cause() {
            true => group.outcome.left = group.ids.len(),
            false => group.start(endpoints, group.ids.len(), actor).await?,
        }
    }
    follow(endpoints, &mut groups, patience).await?;
    let groups = groups.into_iter().map(|group| group.outcome).collect();
    Ok(Replay { groups })
}

impl Group {
    /// Replays the first `count` of the events that are left.
    async fn start(
        &mut self,
        endpoints: &Endpoints,
        count: usize,
        actor: Actor<'_>,
    ) -> anyhow::Result<()> {
        let rest = self.ids.split_off(count);
        let ids = std::mem::replace(&mut self.ids, rest);
        if ids.is_empty() {
            return Ok(());
        }
        let service = service_of(self.outcome.service);
        let mut connection = endpoints.database(service).await?;
        let replayed = admin::replay(&mut connection, &ids, actor).await;
        self.started =
            replayed.with_context(|| format!("cannot replay the events of {}", service.name))?;
        self.outcome.unchanged += ids.len() - self.started.len();
        Ok(())
    }

    /// Records what has become of the events that were started, and returns how many are not tried yet.
    async fn look(&mut self, endpoints: &Endpoints) -> anyhow::Result<usize> {
        if self.started.is_empty() {
            return Ok(0);
        }
        let mut connection = endpoints.database(service_of(self.outcome.service)).await?;
        let rows = admin::retried(&mut connection, &self.started).await?;
        let mut rows: HashMap<Uuid, Retried> =
            rows.into_iter().map(|row| (row.event_id, row)).collect();
        let outcome = &mut self.outcome;
        self.started.retain(|id| match rows.remove(id) {
            None => {
                outcome.done += 1;
                false
            }
            Some(row) if !row.is_tried => true,
            Some(row) => {
                let causes = match row.state.as_str() {
                    "waiting" => &mut outcome.waiting,
                    _ => &mut outcome.dead,
                };
                *causes.entry(row.kind).or_default() += 1;
                false
            }
        });
        Ok(self.started.len())
    }
}

/// Waits until the consumers have tried what was started, for at most `patience`.
async fn follow(
    endpoints: &Endpoints,
    groups: &mut [Group],
    patience: Duration,
) -> anyhow::Result<()> {
    let end = Instant::now() + patience;
    while !patience.is_zero() {
        let mut untried = 0;
        for group in groups.iter_mut() {
            untried += group.look(endpoints).await?;
        }
        if untried == 0 || Instant::now() >= end {
            break;
        }
        sleep(PAUSE).await;
    }
    for group in groups {
        group.outcome.untried += std::mem::take(&mut group.started).len();
    }
    Ok(())
}

fn groups(events: &[ParkedEvent]) -> Vec<Group> {
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for ParkedEvent { service, parked } in events {
        let key = (*service, &parked.routing_key, &parked.kind);
        let group = groups.entry(key).or_insert_with(|| Group {
            outcome: Outcome {
                service,
                routing_key: parked.routing_key.clone(),
                kind: parked.kind.clone(),
                ..Outcome::default()
            },
            ids: Vec::new(),
            started: Vec::new(),
        });
        group.ids.push(parked.event_id);
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_are_left_when_one_that_was_tried_first_fails_as_before() {
        let outcome = |kind: &str| Outcome {
            kind: "database".into(),
            done: 2,
            dead: [(kind.to_owned(), 1)].into(),
            ..Outcome::default()
        };
        assert!(outcome("database").has_the_same_cause());
        assert!(!outcome("panic").has_the_same_cause());
        let untried = Outcome {
            untried: 3,
            ..Outcome::default()
        };
        assert!(untried.has_the_same_cause() && !untried.is_as_wanted());
    }
}
