//! Valid values and pure rules.

use chrono::{DateTime, Utc};
use events::{Meta, UserId};

/// A person, as profile-service knows one from the account.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The account.
    pub user_id: UserId,
    /// In lower case.
    pub email: String,
    /// Empty when not known.
    pub first_name: String,
    /// Empty when not known.
    pub last_name: String,
    /// As the user wrote it.
    pub phone: Option<String>,
}

/// What is known of an account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    /// The newest version that was applied.
    pub version: i64,
    /// When it was made: orders the changes of a publisher that counts no versions.
    pub changed_at: DateTime<Utc>,
    /// Deleted: nothing about it counts any more.
    pub erased: bool,
}

/// What to do with word of a change to an account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// It is news: the account is then as given.
    Apply(Account),
    /// Something newer is known.
    Ignore,
    /// The account's creation has not arrived.
    Wait,
}

impl Account {
    /// An account that was created. Word of a creation counts when nothing is known of the account, and only then.
    pub fn created(meta: &Meta) -> Self {
        Self {
            version: meta.aggregate_version.unwrap_or(1),
            changed_at: meta.timestamp,
            erased: false,
        }
    }

    /// What to do with word of a change.
    pub fn on_updated(known: Option<Self>, meta: &Meta) -> Decision {
        let Some(known) = known else {
            return Decision::Wait;
        };
        let newer = match meta.aggregate_version {
            Some(version) => version > known.version,
            None => meta.timestamp > known.changed_at,
        };
        if known.erased || !newer {
            return Decision::Ignore;
        }
        let version = meta.aggregate_version.unwrap_or(known.version);
        Decision::Apply(Self {
            version,
            changed_at: meta.timestamp,
            erased: false,
        })
    }

    /// What to do with word of a deletion: it stands above every version.
    pub fn on_deleted(known: Option<Self>, meta: &Meta) -> Decision {
        if known.is_some_and(|known| known.erased) {
            return Decision::Ignore;
        }
        let version = meta
            .aggregate_version
            .or(known.map(|known| known.version))
            .unwrap_or(1);
        Decision::Apply(Self {
            version,
            changed_at: meta.timestamp,
            erased: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::EventId;
    use proptest::{prelude::*, sample::Index};

    #[derive(Clone, Copy, Debug)]
    enum Word {
        Created,
        Updated,
        Deleted,
    }

    /// The n-th word about an account, from a publisher that counts versions, or from one that does not.
    fn meta(n: i64, counts: bool) -> Meta {
        Meta {
            event_id: EventId::new(),
            timestamp: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(n),
            routing_key: String::new(),
            source: String::new(),
            correlation_id: uuid::Uuid::nil(),
            causation_id: None,
            aggregate_id: None,
            aggregate_version: counts.then_some(n),
            schema_version: 1,
            traceparent: None,
        }
    }

    /// What is known after all words were heard in this order; those that must wait are heard again at the end.
    fn hear(words: Vec<(Word, Meta)>) -> Option<(bool, DateTime<Utc>)> {
        let mut known: Option<Account> = None;
        let mut left = words;
        loop {
            let mut waiting = Vec::new();
            for (word, meta) in left {
                let verdict = match word {
                    Word::Created if known.is_some() => Decision::Ignore,
                    Word::Created => Decision::Apply(Account::created(&meta)),
                    Word::Updated => Account::on_updated(known, &meta),
                    Word::Deleted => Account::on_deleted(known, &meta),
                };
                match verdict {
                    Decision::Apply(account) => known = Some(account),
                    Decision::Ignore => {}
                    Decision::Wait => waiting.push((word, meta)),
                }
            }
            if waiting.is_empty() {
                return known.map(|account| (account.erased, account.changed_at));
            }
            left = waiting;
        }
    }

    proptest! {
        #[test]
        fn any_order_with_repetition_ends_in_the_same_state(
            updates in 0..6_i64, deleted: bool, counts: bool,
            again in proptest::collection::vec(any::<Index>(), 0..10),
            order in proptest::collection::vec(any::<u32>(), 20),
        ) {
            let mut story = vec![(Word::Created, meta(1, counts))];
            story.extend((0..updates).map(|n| (Word::Updated, meta(n + 2, counts))));
            if deleted {
                story.push((Word::Deleted, meta(updates + 2, counts)));
            }
            let copies = again.iter().map(|index| index.get(&story).clone());
            let mut storm: Vec<_> = story.iter().cloned().chain(copies).zip(order).collect();
            storm.sort_by_key(|(_, place)| *place);
            let storm = storm.into_iter().map(|(word, _)| word).collect();
            prop_assert_eq!(hear(storm), hear(story));
        }
    }
}
