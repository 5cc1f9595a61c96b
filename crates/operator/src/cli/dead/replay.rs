//! `medtrack dead replay`.

use super::{Choice, change::rehearse, say_wrapped};
use crate::{
    cli::text,
    dead::{
        advice::{self, NextStep},
        replay::{self, Outcome},
    },
    endpoints::Endpoints,
    words::count,
};
use clap::Args;
use std::{collections::BTreeMap, process::ExitCode, time::Duration};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Also events that are tried again by themselves.
    #[arg(long)]
    waiting: bool,
    /// How long the outcome is waited for; 0: all are replayed at once, and the command ends.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    wait: u32,
}

impl Arguments {
    pub(super) async fn run(mut self, endpoints: &Endpoints) -> anyhow::Result<ExitCode> {
        let states = self.choice.open_states(self.waiting);
        let selected = self.choice.find(endpoints, states).await?;
        if self.choice.dry_run {
            rehearse(&selected, "replayed")?;
            return Ok(ExitCode::SUCCESS);
        }
        let person = self.choice.who.person(endpoints)?;
        let hopeless = selected
            .iter()
            .filter(|event| advice::of(event).next_step == NextStep::Publisher);
        let hopeless = hopeless.count();
        if hopeless > 0 {
            let count = count(hopeless as u64, "event");
            say_wrapped(
                "",
                &format!(
                    "{count} cannot be read: a replay seldom helps, the publisher must send again."
                ),
            );
        }
        let patience = Duration::from_secs(self.wait.into());
        let result = replay::replay(endpoints, &selected, person.actor(), patience).await?;
        for outcome in &result.groups {
            print(outcome, patience);
        }
        if patience.is_zero() {
            say!(
                "The consumers try them within a second; {}",
                endpoints.advice("dead list --waiting")
            );
            return Ok(ExitCode::SUCCESS);
        }
        let sum = |count: fn(&Outcome) -> usize| result.groups.iter().map(count).sum::<usize>();
        if sum(|outcome| outcome.untried) > 0 {
            say!("Does the consumer run? {}", endpoints.advice("doctor"));
        } else if sum(|outcome| outcome.left) > 0 || !result.is_as_wanted() {
            say!("{}", endpoints.advice("dead list"));
        } else if sum(|outcome| outcome.waiting.len()) > 0 {
            say!("{}", endpoints.advice("dead list --waiting"));
        }
        match result.is_as_wanted() {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::FAILURE),
        }
    }
}

fn print(outcome: &Outcome, patience: Duration) {
    let Outcome {
        service,
        routing_key,
        kind,
        ..
    } = outcome;
    let name = format!("{service}  {kind}  {routing_key}");
    say!("{}", text::line(&name));
    for part in parts(outcome, patience) {
        say!("    {}", text::line(&part));
    }
}

/// What became of the events, one sentence for each outcome.
fn parts(outcome: &Outcome, patience: Duration) -> Vec<String> {
    let mut parts = Vec::new();
    if outcome.done > 0 {
        parts.push(format!("{} done", outcome.done));
    }
    let causes = |verb: &str, causes: &BTreeMap<String, usize>| {
        let part = |(kind, count): (&String, &usize)| match *kind == outcome.kind {
            true => format!("{count} {verb}: same cause"),
            false => format!("{count} {verb}: {kind}"),
        };
        causes.iter().map(part).collect::<Vec<_>>()
    };
    parts.extend(causes("dead again", &outcome.dead));
    parts.extend(causes("waiting, tried again later", &outcome.waiting));
    if outcome.untried > 0 {
        parts.push(match patience.is_zero() {
            true => format!("{} will be tried", outcome.untried),
            false => format!(
                "{} not tried within {} s; they stay due",
                outcome.untried,
                patience.as_secs()
            ),
        });
    }
    if outcome.unchanged > 0 {
        parts.push(format!(
            "{} not replayed: their bodies were deleted",
            outcome.unchanged
        ));
    }
    if outcome.left > 0 {
        parts.push(format!(
            "{} left as they are, because the cause is still there",
            outcome.left
        ));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_told_with_its_cause() {
        let outcome = Outcome {
            kind: "database".into(),
            done: 1,
            dead: [("database".to_owned(), 2), ("panic".to_owned(), 1)].into(),
            left: 27,
            ..Outcome::default()
        };
        assert_eq!(
            parts(&outcome, Duration::from_secs(20)),
            [
                "1 done",
                "2 dead again: same cause",
                "1 dead again: panic",
                "27 left as they are, because the cause is still there"
            ]
        );
    }
}
