//! What became of the registrations of a test, in Jepsen's words.
//!
//! An *attempted* registration is *acknowledged* (201) or *unknown* (anything else: it may have been done).
//! After the heal: *lost* was acknowledged, or has a user row, and lacks its profile or its welcome;
//! *duplicated* has more than one of either; *unexpected* was never attempted; *recovered* is an unknown one
//! that turned out done.

use super::CREATED;
use std::{
    collections::{HashMap, HashSet},
    fmt,
};
use uuid::Uuid;

/// What became of all registrations of a test.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was done to the system.
    pub fault: String,
    /// Registrations that were sent.
    pub attempted: usize,
    /// Those that were answered 201.
    pub acknowledged: usize,
    /// Promised, or begun, and not done.
    pub lost: usize,
    /// Done twice.
    pub duplicated: usize,
    /// Effects without an acknowledged request.
    pub unexpected: usize,
    /// Not promised, and done all the same.
    pub recovered: usize,
    /// Events parked in all databases.
    pub parked: i64,
    /// Whether nothing was on its way any more when this was counted.
    pub drained: bool,
}

impl Report {
    /// Prints the report; something must have been promised, and everything promised must be done, once.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_clean(&self) {
        let clean =
            self.drained && self.lost + self.duplicated + self.unexpected == 0 && self.parked == 0;
        assert!(clean && self.acknowledged > 0, "{self}");
        #[expect(clippy::print_stdout, reason = "the result of a fault test")]
        {
            println!("{self}");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fault,
            attempted,
            acknowledged,
            lost,
            duplicated,
            unexpected,
            recovered,
            parked,
            drained,
        } = self;
        write!(
            f,
            "{fault}: attempted {attempted}, acknowledged {acknowledged}, lost {lost}, duplicated {duplicated}, \
             unexpected {unexpected}, recovered {recovered}, parked {parked}{}",
            if *drained { "" } else { ", NOT DRAINED" }
        )
    }
}

/// Compares what was promised (e-mail → status) with what there is: users, and how many profiles and notices
/// each user has.
pub(super) fn judge(
    attempts: &HashMap<String, u16>,
    users: &[(Uuid, String)],
    profiles: &HashMap<Uuid, i64>,
    notices: &HashMap<Uuid, i64>,
) -> Report {
    let promised: HashSet<&String> = attempts
        .iter()
        .filter(|(_, status)| **status == CREATED)
        .map(|(email, _)| email)
        .collect();
    let mut report = Report {
        attempted: attempts.len(),
        acknowledged: promised.len(),
        ..Report::default()
    };
    let mut kept: HashSet<&String> = HashSet::new();
    for (id, email) in users {
        let of = |counts: &HashMap<Uuid, i64>| counts.get(id).copied().unwrap_or(0);
        let (profiles, notices) = (of(profiles), of(notices));
        kept.insert(email);
        report.duplicated += usize::from(profiles > 1 || notices > 1);
        if !attempts.contains_key(email) {
            report.unexpected += 1;
        } else if profiles == 0 || notices == 0 {
            report.lost += 1;
        } else if !promised.contains(email) {
            report.recovered += 1;
        }
    }
    report.lost += promised.difference(&kept).count();
    let user_ids: HashSet<&Uuid> = users.iter().map(|(id, _)| id).collect();
    let reader_ids: HashSet<&Uuid> = profiles.keys().chain(notices.keys()).collect();
    report.unexpected += reader_ids.difference(&user_ids).count();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_fail_is_counted() {
        let [good, lost, gone, twice, recovered, ghost, stranger] = [
            "good",
            "lost",
            "gone",
            "twice",
            "recovered",
            "ghost",
            "stranger",
        ]
        .map(str::to_owned);
        let attempts = HashMap::from([
            (good.clone(), CREATED),
            (lost.clone(), CREATED),
            (gone, CREATED),
            (twice.clone(), CREATED),
            (recovered.clone(), 0),
            (ghost.clone(), 500),
            ("refused".to_owned(), 503),
        ]);
        let users: Vec<_> = [good, lost, twice, recovered, ghost, stranger]
            .into_iter()
            .zip(1..)
            .map(|(email, id)| (Uuid::from_u128(id), email))
            .collect();
        let counts = |counts: [(u128, i64); 6]| -> HashMap<Uuid, i64> {
            counts
                .into_iter()
                .map(|(id, count)| (Uuid::from_u128(id), count))
                .collect()
        };
        let profiles = counts([(1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (99, 1)]);
        let notices = counts([(1, 1), (3, 2), (4, 1), (5, 1), (6, 1), (99, 1)]);
        let report = Report {
            drained: true,
            ..judge(&attempts, &users, &profiles, &notices)
        };
        assert_eq!(
            report.to_string(),
            ": attempted 7, acknowledged 4, lost 3, duplicated 1, unexpected 2, recovered 1, parked 0",
            "lost: no welcome, no user, half of an unacknowledged one; unexpected: an unknown user and a profile without a user"
        );
        assert!(std::panic::catch_unwind(|| report.assert_clean()).is_err());
        assert!(
            std::panic::catch_unwind(|| Report {
                drained: true,
                ..Report::default()
            }
            .assert_clean())
            .is_err()
        );
        Report {
            drained: true,
            attempted: 1,
            acknowledged: 1,
            ..Report::default()
        }
        .assert_clean();
    }
}
