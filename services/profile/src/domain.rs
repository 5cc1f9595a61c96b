//! Valid values and pure rules.

use chrono::{DateTime, Utc};
use events::{Meta, UserId};

/// A person, as the user's events describe one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    /// The user.
    pub user_id: UserId,
    /// In lower case.
    pub email: String,
    /// Empty when unknown.
    pub first_name: String,
    /// Empty when unknown.
    pub last_name: String,
    /// As the user wrote it.
    pub phone: Option<String>,
}

/// A change of a person. A field that is `None` keeps its value.
#[derive(Clone, Debug)]
pub(crate) struct PersonChange {
    /// The user.
    pub user_id: UserId,
    /// In lower case.
    pub email: String,
    /// Empty when the user removed it.
    pub first_name: Option<String>,
    /// Empty when the user removed it.
    pub last_name: Option<String>,
    /// `Some(None)` when the user removed it.
    pub phone: Option<Option<String>>,
}

/// The version of a user and the time of the change that made it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    /// `None` from a publisher that counts no versions.
    pub version: Option<i64>,
    /// Orders the changes of a publisher that counts no versions.
    pub changed_at: DateTime<Utc>,
}

impl From<&Meta> for Stamp {
    fn from(meta: &Meta) -> Self {
        Self {
            version: meta.aggregate_version,
            changed_at: meta.timestamp,
        }
    }
}

/// What this service has recorded about a user. It decides which events about the user still count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct UserState {
    /// The user.
    pub user_id: UserId,
    /// The newest version that was applied.
    pub version: i64,
    /// The time of that version.
    pub changed_at: DateTime<Utc>,
    /// The user was deleted: no event about the user counts any more.
    pub erased: bool,
}

/// What to do with an event about a user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Apply it: the user's state is then this one.
    Apply(UserState),
    /// Ignore it: a newer one has been applied.
    Ignore,
    /// Wait: the user's creation has not arrived.
    Wait,
}

impl UserState {
    /// The state of a user who was created. It counts only when no state of the user is recorded.
    pub(crate) fn created(user_id: UserId, stamp: Stamp) -> Self {
        Self {
            user_id,
            version: stamp.version.unwrap_or(1),
            changed_at: stamp.changed_at,
            erased: false,
        }
    }

    /// What to do with a change, given the recorded state.
    pub(crate) fn on_updated(recorded: Option<Self>, stamp: Stamp) -> Decision {
        let Some(recorded) = recorded else {
            return Decision::Wait;
        };
        let is_newer = match stamp.version {
            Some(version) => version > recorded.version,
            None => stamp.changed_at > recorded.changed_at,
        };
        if recorded.erased || !is_newer {
            return Decision::Ignore;
        }
        Decision::Apply(Self {
            version: stamp.version.unwrap_or(recorded.version),
            changed_at: stamp.changed_at,
            ..recorded
        })
    }

    /// What to do with a deletion, given the recorded state. A deletion counts more than any version.
    pub(crate) fn on_deleted(user_id: UserId, recorded: Option<Self>, stamp: Stamp) -> Decision {
        if recorded.is_some_and(|recorded| recorded.erased) {
            return Decision::Ignore;
        }
        let version = stamp
            .version
            .or(recorded.map(|recorded| recorded.version))
            .unwrap_or(1);
        Decision::Apply(Self {
            user_id,
            version,
            changed_at: stamp.changed_at,
            erased: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::Index};

    #[derive(Clone, Copy, Debug)]
    enum Kind {
        Created,
        Updated,
        Deleted,
    }

    /// The stamp of the n-th event about a user, from a publisher that counts versions, or from one that does not.
    fn stamp(n: i64, counts: bool) -> Stamp {
        Stamp {
            version: counts.then_some(n),
            changed_at: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(n),
        }
    }

    /// The state after all events were applied in this order; those that must wait are tried again at the end.
    fn apply(events: Vec<(Kind, Stamp)>) -> Option<(bool, DateTime<Utc>)> {
        let user_id = uuid::Uuid::nil().into();
        let mut recorded: Option<UserState> = None;
        let mut remaining = events;
        loop {
            let mut waiting = Vec::new();
            for (kind, stamp) in remaining {
                let decision = match kind {
                    Kind::Created if recorded.is_some() => Decision::Ignore,
                    Kind::Created => Decision::Apply(UserState::created(user_id, stamp)),
                    Kind::Updated => UserState::on_updated(recorded, stamp),
                    Kind::Deleted => UserState::on_deleted(user_id, recorded, stamp),
                };
                match decision {
                    Decision::Apply(state) => recorded = Some(state),
                    Decision::Ignore => {}
                    Decision::Wait => waiting.push((kind, stamp)),
                }
            }
            if waiting.is_empty() {
                return recorded.map(|state| (state.erased, state.changed_at));
            }
            remaining = waiting;
        }
    }

    proptest! {
        #[test]
        fn any_order_with_repetition_ends_in_the_same_state(
            updates in 0..6_i64, deleted: bool, counts: bool,
            again in proptest::collection::vec(any::<Index>(), 0..10),
            order in proptest::collection::vec(any::<u32>(), 20),
        ) {
            let mut story = vec![(Kind::Created, stamp(1, counts))];
            story.extend((0..updates).map(|n| (Kind::Updated, stamp(n + 2, counts))));
            if deleted {
                story.push((Kind::Deleted, stamp(updates + 2, counts)));
            }
            let copies = again.iter().map(|index| *index.get(&story));
            let mut storm: Vec<_> = story.iter().copied().chain(copies).zip(order).collect();
            storm.sort_by_key(|(_, place)| *place);
            let storm = storm.into_iter().map(|(event, _)| event).collect();
            prop_assert_eq!(apply(storm), apply(story));
        }
    }
}
