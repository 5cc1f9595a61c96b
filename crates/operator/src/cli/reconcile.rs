//! `medtrack reconcile`.

use super::{
    ask, text,
    who::{Person, Who},
};
use crate::{
    endpoints::Endpoints,
    reconcile::{self, Deviation, Mend, Reconciliation},
    replay,
    words::count,
};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Reconcile {
    /// Make the missing bindings, and have the owner of a user announce what a service has missed.
    #[arg(long)]
    fix: bool,
    /// Do not ask before users are erased who were deleted, and whom a service has not erased.
    #[arg(long, requires = "fix")]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    who: Who,
}

impl Reconcile {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<ExitCode> {
        let person = match self.fix {
            true => Some(self.who.person(endpoints)?),
            false => None,
        };
        if self.fix && !self.yes {
            ensure_erasure_is_wanted(endpoints).await?;
        }
        let actor = person.as_ref().map(Person::actor);
        let result = reconcile::reconcile(endpoints, actor).await?;
        if self.json {
            say!("{}", text::json(&result)?);
        } else {
            print(&result, endpoints);
        }
        let is_done = result.is_empty() || (self.fix && !result.needs_a_person());
        Ok(match is_done {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

/// Asks before users are erased. Everything else that is announced again harms no data.
async fn ensure_erasure_is_wanted(endpoints: &Endpoints) -> anyhow::Result<()> {
    let before = reconcile::reconcile(endpoints, None).await?;
    let users = before.to_erase() as u64;
    if users == 0 {
        return Ok(());
    }
    let question = format!(
        "Erase {} whose deletion a service has missed? There is no way back; \
         medtrack reconcile shows examples.",
        count(users, "user")
    );
    ask::ensure_agreed(&question, false)
}

fn print(result: &Reconciliation, endpoints: &Endpoints) {
    for missing in &result.missing_bindings {
        let patterns = missing.patterns.join(" ");
        if !result.fixed {
            say!("{} is not bound to {patterns}", missing.queue);
            continue;
        }
        let days = replay::TEXT_IS_KEPT.num_days();
        let replay = format!("events replay --since {days}d --to {}", missing.service);
        say!("{} is bound again to {patterns}", missing.queue);
        say!("    for what it missed, {}", endpoints.advice(&replay));
    }
    for finding in &result.findings {
        let examples: Vec<String> = finding.examples.iter().map(ToString::to_string).collect();
        say!(
            "{:>9} {}: {}{}",
            count(finding.users as u64, "user"),
            description(finding.deviation),
            examples.join(", "),
            if finding.users > examples.len() {
                ", …"
            } else {
                ""
            }
        );
        match finding.deviation.mend() {
            Mend::Announce(owner) if result.fixed => {
                say!("          {} announces them within seconds", owner.name);
            }
            Mend::Announce(_) => {}
            Mend::Person => say!("          {}", decision(finding.deviation)),
        }
    }
    say!(
        "{} compared over auth-service, profile-service and comm-service{}",
        count(result.users, "user"),
        if result.is_empty() {
            ": no difference"
        } else {
            ""
        }
    );
    if !result.is_empty() {
        let next = if result.fixed {
            "reconcile"
        } else {
            "reconcile --fix"
        };
        say!("    {}", endpoints.advice(next));
    }
}

fn description(deviation: Deviation) -> &'static str {
    match deviation {
        Deviation::UserWithoutProfile => "have no profile",
        Deviation::ProfileOutdated => "have changes that profile-service has missed",
        Deviation::OwnerOutdated => "have changes that auth-service does not know any more",
        Deviation::ProfileWithoutWelcome => "have a profile and no welcome",
        Deviation::DeletionNotHonoured => "were deleted, and one service has not erased them",
        Deviation::ErasedUserExists => "were erased by a service, and can still log in",
        Deviation::ProfileWithoutUser => "have a profile, and auth-service does not know them",
        Deviation::RecordWithoutProfile => "are recorded at profile-service without a profile",
    }
}

/// What a person has to find out.
fn decision(deviation: Deviation) -> &'static str {
    match deviation {
        Deviation::ErasedUserExists => {
            "a person decides: was auth_db restored? Then delete these users again"
        }
        Deviation::RecordWithoutProfile => {
            "a person decides: was a row of profile_db deleted by hand?"
        }
        _ => "a person decides: was auth_db restored? Then restore a newer dump of it",
    }
}
