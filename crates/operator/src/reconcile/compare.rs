//! The rules: which records of one user fit together.

use crate::views::KnownUser;
use chrono::{DateTime, TimeDelta, Utc};
use events::topology::{AUTH, PROFILE, Service};
use serde::Serialize;

/// The events about a younger change may still be under way.
const GRACE: TimeDelta = TimeDelta::seconds(60);

/// How the records of a user deviate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deviation {
    /// profile-service does not know the user.
    UserWithoutProfile,
    /// profile-service has an older version of the user.
    ProfileOutdated,
    /// profile-service has a newer version than the owner, whose database was restored.
    OwnerOutdated,
    /// comm-service has not welcomed the user.
    ProfileWithoutWelcome,
    /// One service has erased the user, another one has not.
    DeletionNotHonoured,
    /// The user was erased elsewhere and can still log in.
    ErasedUserExists,
    /// auth-service does not know the user, and no deletion is on record.
    ProfileWithoutUser,
    /// profile-service has recorded the user, and has no profile.
    RecordWithoutProfile,
}

/// What brings the records together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mend {
    /// The service announces the user again.
    Announce(&'static Service),
    /// A person decides.
    Person,
}

impl PartialEq for Mend {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Mend::Announce(one), Mend::Announce(another)) => one.short == another.short,
            (Mend::Person, Mend::Person) => true,
            _ => false,
        }
    }
}

impl Deviation {
    pub(crate) fn mend(self) -> Mend {
        match self {
            Deviation::UserWithoutProfile
            | Deviation::ProfileOutdated
            | Deviation::OwnerOutdated
            | Deviation::DeletionNotHonoured => Mend::Announce(&AUTH),
            Deviation::ProfileWithoutWelcome => Mend::Announce(&PROFILE),
            Deviation::ErasedUserExists
            | Deviation::ProfileWithoutUser
            | Deviation::RecordWithoutProfile => Mend::Person,
        }
    }
}

/// The records of one user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Records {
    pub(super) auth: Option<KnownUser>,
    pub(super) profile: Option<KnownUser>,
    pub(super) comm: Option<KnownUser>,
}

/// Compares the records of a user. Returns how they deviate, and the lowest version that the owner has to announce.
pub(super) fn compare(records: &Records, now: DateTime<Utc>) -> Option<(Deviation, i64)> {
    let Records {
        auth,
        profile,
        comm,
    } = records;
    let is_erased = |user: &Option<KnownUser>| user.is_some_and(|user| user.erased);
    let is_alive = |user: &Option<KnownUser>| user.is_some_and(|user| !user.erased);
    let recorded = profile.and_then(|profile| profile.version).unwrap_or(0);
    let was_erased = is_erased(profile) || is_erased(comm);
    let Some(auth) = auth else {
        if !is_alive(profile) && !is_alive(comm) {
            return None;
        }
        let deviation = if was_erased {
            Deviation::DeletionNotHonoured
        } else {
            Deviation::ProfileWithoutUser
        };
        return Some((deviation, recorded + 1));
    };
    if was_erased {
        return Some((Deviation::ErasedUserExists, 0));
    }
    let is_recent = |user: &KnownUser| user.changed_at.is_some_and(|at| at > now - GRACE);
    if !auth.complete {
        return None;
    }
    let Some(profile) = profile else {
        return (!is_recent(auth)).then_some((Deviation::UserWithoutProfile, 0));
    };
    let version = auth.version.unwrap_or(0);
    if recorded > version {
        return Some((Deviation::OwnerOutdated, recorded + 1));
    }
    if recorded < version {
        return (!is_recent(auth)).then_some((Deviation::ProfileOutdated, 0));
    }
    if !profile.complete {
        return Some((Deviation::RecordWithoutProfile, 0));
    }
    let is_welcomed = comm.is_some_and(|comm| comm.complete);
    (!is_welcomed && !is_recent(profile)).then_some((Deviation::ProfileWithoutWelcome, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn user(version: i64) -> KnownUser {
        KnownUser {
            user_id: Uuid::nil(),
            version: Some(version),
            erased: false,
            complete: true,
            changed_at: Some(Utc::now() - TimeDelta::hours(1)),
        }
    }

    fn erased(version: i64) -> KnownUser {
        KnownUser {
            erased: true,
            complete: false,
            ..user(version)
        }
    }

    fn deviation_of(
        auth: Option<KnownUser>,
        profile: Option<KnownUser>,
        comm: Option<KnownUser>,
    ) -> Option<(Deviation, i64)> {
        let records = Records {
            auth,
            profile,
            comm,
        };
        compare(&records, Utc::now())
    }

    #[test]
    fn records_that_fit_are_passed_over() {
        let admin = KnownUser {
            complete: false,
            ..user(1)
        };
        assert_eq!(
            deviation_of(Some(user(2)), Some(user(2)), Some(user(1))),
            None
        );
        assert_eq!(deviation_of(Some(admin), Some(user(1)), None), None);
        assert_eq!(deviation_of(None, Some(erased(3)), Some(erased(1))), None);
    }

    #[test]
    fn a_change_of_the_last_minute_may_be_under_way() {
        let new = KnownUser {
            changed_at: Some(Utc::now()),
            ..user(2)
        };
        assert_eq!(deviation_of(Some(new), None, None), None);
        assert_eq!(deviation_of(Some(new), Some(user(1)), Some(user(1))), None);
        assert_eq!(deviation_of(Some(user(2)), Some(new), None), None);
    }

    #[test]
    fn each_deviation_is_distinguished() {
        use Deviation as D;
        let incomplete = KnownUser {
            complete: false,
            ..user(1)
        };
        let cases = [
            (Some(user(1)), None, None, (D::UserWithoutProfile, 0)),
            (
                Some(user(3)),
                Some(user(2)),
                Some(user(1)),
                (D::ProfileOutdated, 0),
            ),
            (
                Some(user(2)),
                Some(user(5)),
                Some(user(1)),
                (D::OwnerOutdated, 6),
            ),
            (
                Some(user(1)),
                Some(user(1)),
                None,
                (D::ProfileWithoutWelcome, 0),
            ),
            (
                None,
                Some(erased(4)),
                Some(user(1)),
                (D::DeletionNotHonoured, 5),
            ),
            (
                Some(user(1)),
                Some(erased(2)),
                None,
                (D::ErasedUserExists, 0),
            ),
            (
                None,
                Some(user(2)),
                Some(user(1)),
                (D::ProfileWithoutUser, 3),
            ),
            (
                Some(user(1)),
                Some(incomplete),
                None,
                (D::RecordWithoutProfile, 0),
            ),
        ];
        for (auth, profile, comm, expected) in cases {
            assert_eq!(deviation_of(auth, profile, comm), Some(expected));
        }
    }
}
