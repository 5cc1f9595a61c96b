//! `medtrack dead discard` and `medtrack dead undo`.

use super::{Change, Choice, list};
use crate::{
    cli::ask,
    dead::{self, ParkedEvent, Selection, States, change},
    endpoints::Endpoints,
    words::count,
};
use anyhow::bail;
use clap::Args;

/// How many events are listed above the question.
const SHOWN: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Discard {
    #[command(flatten)]
    choice: Choice,
    /// Also events that are tried again by themselves.
    #[arg(long)]
    waiting: bool,
    /// Discard more than one without a question.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Undo {
    #[command(flatten)]
    choice: Choice,
}

impl Choice {
    /// Returns the events that a person chose. Fails when none was chosen, or none is there.
    pub(super) async fn find(
        &mut self,
        endpoints: &Endpoints,
        states: States,
    ) -> anyhow::Result<Vec<ParkedEvent>> {
        let filter = std::mem::take(&mut self.filter);
        let selection = Selection {
            event_ids: self.event_ids.clone(),
            limit: self.limit,
            ..filter.selection(states)
        };
        if !selection.is_narrow() && !self.all {
            bail!(
                "no event is selected; try: give event ids, --service, --key, --cause or --since, or --all; --dry-run \
                 shows what is selected"
            );
        }
        let selected = dead::find(endpoints, &selection).await?;
        if selected.is_empty() {
            if states == States::Discarded {
                bail!(
                    "the selection matches no discarded event; {}",
                    endpoints.advice("dead list --discarded")
                );
            }
            bail!(
                "the selection matches no parked event that is not discarded; {}, or {}",
                endpoints.advice("dead list"),
                endpoints.command_line.operator("dead list --discarded")
            );
        }
        Ok(selected)
    }

    /// The states that are selected: those of ids in any case.
    pub(super) fn open_states(&self, waiting: bool) -> States {
        match waiting || !self.event_ids.is_empty() {
            true => States::Open,
            false => States::Dead,
        }
    }
}

/// Shows what would be done.
pub(super) fn rehearse(selected: &[ParkedEvent], done: &str) -> anyhow::Result<()> {
    list::each(selected, false)?;
    say!(
        "\n{} would be {done}; nothing was changed.",
        count(selected.len() as u64, "event")
    );
    Ok(())
}

impl Discard {
    pub(super) async fn run(mut self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let states = self.choice.open_states(self.waiting);
        let selected = self.choice.find(endpoints, states).await?;
        if self.choice.dry_run {
            return rehearse(&selected, "discarded");
        }
        let person = self.choice.who.person(endpoints)?;
        ensure_agreed(&selected, self.yes)?;
        let actor = person.actor();
        let changed = change::apply(endpoints, &selected, Change::Discard, actor).await?;
        say!(
            "{changed} of {} discarded.",
            count(selected.len() as u64, "event")
        );
        let undo = match &selected[..] {
            [one] => format!("dead undo {}", one.parked.event_id),
            _ => "dead list --discarded".into(),
        };
        say!("A discarded event can be brought back for 7 days.");
        say!("{}", endpoints.advice(&undo));
        Ok(())
    }
}

/// Asks about more than one event.
fn ensure_agreed(selected: &[ParkedEvent], yes: bool) -> anyhow::Result<()> {
    if let [_one] = selected {
        return Ok(());
    }
    if !yes {
        list::each(&selected[..selected.len().min(SHOWN)], false)?;
        say!("");
    }
    let question = format!(
        "Discard {}? They are not handled; for 7 days they can be brought back.",
        count(selected.len() as u64, "event")
    );
    ask::ensure_agreed(&question, yes)
}

impl Undo {
    pub(super) async fn run(mut self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let selected = self.choice.find(endpoints, States::Discarded).await?;
        if self.choice.dry_run {
            return rehearse(&selected, "brought back");
        }
        let person = self.choice.who.person(endpoints)?;
        let actor = person.actor();
        let changed = change::apply(endpoints, &selected, Change::Undo, actor).await?;
        say!(
            "{changed} of {} brought back.",
            count(selected.len() as u64, "event")
        );
        if changed < selected.len() {
            say!("The others have no body any more: it is kept for 7 days.");
        }
        if changed > 0 {
            say!("{}", endpoints.advice("dead list --waiting"));
        }
        Ok(())
    }
}
