//! `medtrack dead`: parked events that need a person, and on request those that are tried again by themselves.

mod change;
mod list;
mod replay;
mod show;

use super::{
    text,
    who::{Person, Who},
};
use crate::{
    dead::{Selection, States, change::Change},
    endpoints::Endpoints,
};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use events::topology::SERVICES;
use std::process::ExitCode;
use uuid::Uuid;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Dead {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Without a verb: `dead list`.
    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the events by cause.
    #[command(
        after_help = "Examples:\n  medtrack dead list\n  medtrack dead list --since 2h --cause bad_payload\n  \
                            medtrack dead list --each --service comm --json"
    )]
    List(list::List),
    /// Show all about one event. The values of its payload are masked: they may name a person.
    #[command(after_help = "Example:\n  medtrack dead show 01a20942-4f9c-77ab-96e5-4bc61d4632b2")]
    Show {
        /// The event's id, as `dead list` prints it.
        event_id: Uuid,
        /// Show the message as it was published. The look is recorded with your name.
        #[arg(long)]
        payload: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Have events handled again, with all their attempts, and wait for the outcome. They keep their ids, so no effect
    /// happens twice. Of more than three with the same cause, three are tried first.
    #[command(
        after_help = "Exit code 1: an event is dead again, or was not tried.\nExamples:\n  \
                            medtrack dead replay 01a20942-4f9c-77ab-96e5-4bc61d4632b2\n  \
                            medtrack dead replay --service comm --cause database --dry-run\n  medtrack dead replay --all"
    )]
    Replay(replay::Arguments),
    /// Discard events: they are not handled. `dead undo` brings them back within 7 days.
    #[command(
        after_help = "Examples:\n  medtrack dead discard --cause not_json --dry-run\n  \
                            medtrack dead discard --cause not_json --yes --why 'sent by a test'"
    )]
    Discard(change::Discard),
    /// Bring discarded events back, for as long as their bodies are kept: 7 days.
    #[command(
        after_help = "Examples:\n  medtrack dead undo 01a20942-4f9c-77ab-96e5-4bc61d4632b2\n  \
                            medtrack dead undo --cause not_json --dry-run"
    )]
    Undo(change::Undo),
}

/// Selects events.
#[derive(Debug, Default, Args)]
struct Filter {
    /// Only events of this service.
    #[arg(long, value_name = "NAME",
          value_parser = PossibleValuesParser::new(SERVICES.map(|service| service.short)))]
    service: Option<String>,
    /// Only events with this routing key.
    #[arg(long, value_name = "ROUTING KEY")]
    key: Option<String>,
    /// Only events with this cause, as `list` shows it.
    #[arg(long)]
    cause: Option<String>,
    /// Only events that were parked since: a time (RFC 3339; UTC without a zone), or how long ago (30m, 2h, 3d).
    #[arg(long, value_name = "TIME", value_parser = crate::replay::read_since)]
    since: Option<DateTime<Utc>>,
}

impl Filter {
    fn selection(self, states: States) -> Selection {
        Selection {
            service: self.service,
            routing_key: self.key,
            cause: self.cause,
            since: self.since,
            states,
            ..Selection::default()
        }
    }
}

/// Which events are changed.
#[derive(Debug, Args)]
struct Choice {
    /// Only these events.
    event_ids: Vec<Uuid>,
    #[command(flatten)]
    filter: Filter,
    /// At most so many, the oldest first.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Every event.
    #[arg(long)]
    all: bool,
    /// Change nothing; show what would be changed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    who: Who,
}

impl Dead {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<ExitCode> {
        match self.verb.unwrap_or(Verb::List(self.list)) {
            Verb::List(list) => list.run(endpoints).await?,
            Verb::Show {
                event_id,
                payload,
                who,
            } => {
                let person = payload.then(|| who.person(endpoints)).transpose()?;
                show::run(endpoints, event_id, person.as_ref()).await?;
            }
            Verb::Replay(arguments) => return arguments.run(endpoints).await,
            Verb::Discard(discard) => discard.run(endpoints).await?,
            Verb::Undo(undo) => undo.run(endpoints).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints a text that may be long, so that it fits a terminal.
fn say_wrapped(indent: &str, words: &str) {
    say!("{}", text::hanging(indent, &text::line(words), text::WIDTH));
}
