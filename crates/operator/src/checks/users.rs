//! The newest users, as each service knows them: after a database was restored, or an event was lost for longer than its
//! text is kept, they differ. `medtrack reconcile` compares all users; this check compares a sample, so that it takes as
//! long for a million users.

use super::finding::{Finding, Id};
use crate::{
    endpoints::{Endpoints, PATIENCE},
    reconcile::{self, Deviation, Mend},
    words::count,
};

/// How many of the newest users of auth-service, and of profile-service, are compared.
const NEWEST: i64 = 500;

pub(super) async fn check(endpoints: &Endpoints) -> Vec<Finding> {
    // Where a database does not answer, other checks say so.
    let compared = tokio::time::timeout(PATIENCE, reconcile::compare_newest(endpoints, NEWEST));
    let Ok(Ok(sample)) = compared.await else {
        return Vec::new();
    };
    let number = |wanted: fn(Deviation) -> bool| -> u64 {
        let findings = sample.findings.iter();
        let wanted = findings.filter(|finding| wanted(finding.deviation));
        wanted.map(|finding| finding.users as u64).sum()
    };
    let orphans = number(|deviation| deviation == Deviation::ProfileWithoutUser);
    // A deletion may be under way; one that was lost is among the missed events.
    let others = number(|deviation| {
        !matches!(
            deviation,
            Deviation::ProfileWithoutUser | Deviation::DeletionNotHonoured
        )
    });
    let undecided = number(|deviation| deviation.mend() == Mend::Person) > orphans;
    let newest = format!("of the newest {}", count(sample.users, "user"));
    let mut findings = Vec::new();
    if orphans > 0 {
        let have = if orphans == 1 { "has" } else { "have" };
        let what = format!("{newest}, {orphans} {have} a profile and no user at auth-service");
        findings.push(
            Finding::broken(Id::ProfileWithoutUser, what)
                .figure("users", orphans)
                .figure("compared", sample.users)
                .hint("a person decides: an older dump of auth_db was restored, or rows were deleted by hand; who they are:")
                .try_(endpoints.command_line.operator("reconcile")),
        );
    }
    if others > 0 {
        let are = if others == 1 { "is" } else { "are" };
        let what = format!("{newest}, {others} {are} not known to all services in the same way");
        findings.push(
            Finding::broken(Id::UsersDiffer, what)
                .figure("users", others)
                .figure("compared", sample.users)
                .hint("events were lost, or a database was restored; this announces them again:")
                .try_(endpoints.command_line.operator(match undecided {
                    true => "reconcile",
                    false => "reconcile --fix",
                })),
        );
    }
    if findings.is_empty() {
        let what = format!(
            "the newest {} are the same in all services",
            count(sample.users, "user")
        );
        findings.push(Finding::good(Id::Users, what).figure("compared", sample.users));
    }
    findings
}
