//! Sessions that ended before their access tokens did, in the memory of a process.
//!
//! An access token is valid for a quarter of an hour, and no request looks its session up. So each process that checks
//! tokens holds what was revoked lately, and refuses the tokens of these sessions. `messaging` stores the revocations in
//! the database of each service and fills this memory from there.

use chrono::{DateTime, TimeDelta, Utc};
use events::UserId;
use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};
use uuid::Uuid;

/// For how long a revocation is needed: a minute longer than an access token is valid.
pub const NEEDED: TimeDelta = TimeDelta::minutes(16);

/// The end of one session of a user, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The user.
    pub user_id: UserId,
    /// The session; `None` for all sessions that began before `at`.
    pub session_id: Option<Uuid>,
    /// When it was revoked.
    pub at: DateTime<Utc>,
}

/// What was revoked lately. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Revocations(Arc<RwLock<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    /// When each session was revoked.
    sessions: HashMap<Uuid, DateTime<Utc>>,
    /// When all sessions of each user were revoked for the last time.
    users: HashMap<UserId, DateTime<Utc>>,
}

impl Revocations {
    /// Adds revocations, and drops those that are not needed any more.
    ///
    /// # Panics
    /// Never: no holder of the lock panics.
    pub fn add(&self, revocations: &[Revocation], now: DateTime<Utc>) {
        let mut memory = self.0.write().expect("no holder of this lock panics");
        for revocation in revocations {
            let Revocation { user_id, at, .. } = *revocation;
            let latest = match revocation.session_id {
                Some(session_id) => memory.sessions.entry(session_id).or_insert(at),
                None => memory.users.entry(user_id).or_insert(at),
            };
            *latest = at.max(*latest);
        }
        let is_needed = |at: &DateTime<Utc>| *at + NEEDED > now;
        memory.sessions.retain(|_, at| is_needed(at));
        memory.users.retain(|_, at| is_needed(at));
    }

    /// Whether a session of a user was revoked.
    ///
    /// # Panics
    /// Never: no holder of the lock panics.
    pub fn contain(&self, user_id: UserId, session_id: Uuid) -> bool {
        let memory = self.0.read().expect("no holder of this lock panics");
        memory.sessions.contains_key(&session_id)
            || memory
                .users
                .get(&user_id)
                .is_some_and(|at| began_before(session_id, *at))
    }
}

/// The id of a session holds the millisecond in which it began. The claim `iat` of a token has whole seconds only, and
/// would end a session that began in the second of the revocation, but after it. An id without a time counts as old.
fn began_before(session_id: Uuid, at: DateTime<Utc>) -> bool {
    let began = session_id.get_timestamp().map(|time| time.to_unix());
    began.is_none_or(|(seconds, nanoseconds)| {
        let milliseconds = seconds * 1_000 + u64::from(nanoseconds / 1_000_000);
        i128::from(milliseconds) < i128::from(at.timestamp_millis())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session_of(at: DateTime<Utc>) -> Uuid {
        let milliseconds = at.timestamp_millis().unsigned_abs();
        uuid::Builder::from_unix_timestamp_millis(milliseconds, &[7; 10]).into_uuid()
    }

    fn after(at: DateTime<Utc>, milliseconds: i64) -> DateTime<Utc> {
        at + TimeDelta::milliseconds(milliseconds)
    }

    #[test]
    fn one_session_ends_and_the_others_of_the_user_go_on() {
        let (revocations, now) = (Revocations::default(), Utc::now());
        let (user_id, session_id, other) = (UserId::new(), Uuid::now_v7(), Uuid::now_v7());
        let revocation = Revocation {
            user_id,
            session_id: Some(session_id),
            at: now,
        };
        revocations.add(&[revocation], now);
        assert!(revocations.contain(user_id, session_id));
        assert!(!revocations.contain(user_id, other));
    }

    #[test]
    fn all_sessions_that_began_before_end_and_one_of_the_same_second_goes_on() {
        let revocations = Revocations::default();
        let second = DateTime::from_timestamp(1_765_654_022, 0).unwrap();
        let (user_id, at) = (UserId::new(), after(second, 500));
        let all = Revocation {
            user_id,
            session_id: None,
            at,
        };
        revocations.add(&[all], at);
        for (milliseconds, is_revoked) in
            [(-3_600_000, true), (499, true), (500, false), (501, false)]
        {
            let session_id = session_of(after(second, milliseconds));
            assert_eq!(
                revocations.contain(user_id, session_id),
                is_revoked,
                "{milliseconds}"
            );
        }
        assert!(!revocations.contain(UserId::new(), session_of(second)));
        assert!(
            revocations.contain(user_id, Uuid::new_v4()),
            "an id without a time counts as old"
        );
        let earlier = Revocation { at: second, ..all };
        revocations.add(&[earlier], at);
        assert!(
            revocations.contain(user_id, session_of(after(second, 499))),
            "the latest revocation counts, also when it is added first"
        );
    }

    #[test]
    fn a_revocation_is_dropped_when_every_token_of_its_time_has_ended() {
        let (revocations, at) = (Revocations::default(), Utc::now());
        let (user_id, session_id) = (UserId::new(), session_of(after(at, -1)));
        let of = |session_id| Revocation {
            user_id,
            session_id,
            at,
        };
        revocations.add(&[of(Some(session_id)), of(None)], at);
        revocations.add(&[], at + TimeDelta::minutes(15));
        assert!(revocations.contain(user_id, session_id));
        revocations.add(&[], at + NEEDED);
        assert!(!revocations.contain(user_id, session_id));
        let memory = revocations.0.read().unwrap();
        assert!(memory.sessions.is_empty() && memory.users.is_empty());
    }
}
