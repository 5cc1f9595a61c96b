//! `medtrack dead`: parked events that need a person, and on request those that are tried again by themselves.

mod show;

use super::table::Columns;
use crate::{
    age::ago,
    dead::{self, Action, Cause, ParkedEvent, Selection},
    endpoints::Endpoints,
};
use anyhow::bail;
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use events::topology::SERVICES;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum Dead {
    /// List the events by cause.
    #[command(
        after_help = "Examples:\n  medtrack dead list\n  medtrack dead list --each --service comm --json"
    )]
    List {
        #[command(flatten)]
        filter: Filter,
        /// Print one line for each event.
        #[arg(long)]
        each: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show all about one event. The values of its payload are masked: they may name a person.
    #[command(after_help = "Example:\n  medtrack dead show 01a20942-4f9c-77ab-96e5-4bc61d4632b2")]
    Show {
        event_id: Uuid,
        /// Show the message as it was published.
        #[arg(long)]
        payload: bool,
    },
    /// Have events handled again, with all their attempts. They keep their ids, so no effect happens twice.
    #[command(
        after_help = "Examples:\n  medtrack dead replay 01a20942-4f9c-77ab-96e5-4bc61d4632b2\n  \
                            medtrack dead replay --service comm --kind database --dry-run\n  medtrack dead replay --all"
    )]
    Replay(Choice),
    /// Delete events for good: they are never handled.
    #[command(
        after_help = "Examples:\n  medtrack dead discard --kind not_json --dry-run\n  \
                            medtrack dead discard --kind not_json"
    )]
    Discard(Choice),
}

#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only events of this service.
    #[arg(long, value_name = "NAME",
          value_parser = PossibleValuesParser::new(SERVICES.map(|service| service.short)))]
    service: Option<String>,
    /// Only events with this routing key.
    #[arg(long, value_name = "ROUTING KEY")]
    key: Option<String>,
    /// Only events with this cause, as `list` shows it.
    #[arg(long, value_name = "CAUSE")]
    kind: Option<String>,
    /// Also events that are tried again by themselves.
    #[arg(long)]
    waiting: bool,
}

impl Filter {
    fn selection(self, event_ids: Vec<Uuid>) -> Selection {
        Selection {
            service: self.service,
            routing_key: self.key,
            kind: self.kind,
            waiting: self.waiting,
            event_ids,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Only these events.
    event_ids: Vec<Uuid>,
    #[command(flatten)]
    filter: Filter,
    /// Every dead event.
    #[arg(long)]
    all: bool,
    /// Change nothing; show what would be changed.
    #[arg(long)]
    dry_run: bool,
}

impl Dead {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        match self {
            Dead::List { filter, each, json } => {
                let events = dead::find(endpoints, &filter.selection(Vec::new())).await?;
                match each {
                    true => list_each(&events, json),
                    false => list_causes(endpoints, &events, json),
                }
            }
            Dead::Show { event_id, payload } => show::run(endpoints, event_id, payload).await,
            Dead::Replay(choice) => choice.act(endpoints, Action::Replay).await,
            Dead::Discard(choice) => choice.act(endpoints, Action::Discard).await,
        }
    }
}

fn list_causes(endpoints: &Endpoints, events: &[ParkedEvent], json: bool) -> anyhow::Result<()> {
    let causes = dead::causes(events);
    let columns = Columns {
        names: &[
            "SERVICE",
            "STATE",
            "CAUSE",
            "ROUTING KEY",
            "EVENTS",
            "OLDEST",
            "NEWEST",
            "FOR EXAMPLE",
        ],
        none: "No event is parked.",
        cells: |cause: &Cause| {
            vec![
                cause.service.into(),
                cause.state.clone(),
                cause.kind.clone(),
                cause.routing_key.clone(),
                cause.events.to_string(),
                ago(cause.oldest),
                ago(cause.newest),
                cause.example.to_string(),
            ]
        },
    };
    columns.print(&causes, json)?;
    if let (Some(cause), false) = (causes.first(), json) {
        let show = endpoints.advice(&format!("dead show {}", cause.example));
        say!("\n{show}");
    }
    Ok(())
}

fn list_each(events: &[ParkedEvent], json: bool) -> anyhow::Result<()> {
    let columns = Columns {
        names: &[
            "EVENT",
            "SERVICE",
            "STATE",
            "CAUSE",
            "ROUTING KEY",
            "TRIES",
            "PARKED",
            "WAITS FOR",
        ],
        none: "No event is parked.",
        cells: |ParkedEvent { service, parked }| {
            vec![
                parked.event_id.to_string(),
                (*service).into(),
                parked.state.clone(),
                parked.kind.clone(),
                parked.routing_key.clone(),
                parked.attempts.to_string(),
                ago(parked.first_at),
                parked.waits_for.clone().unwrap_or_default(),
            ]
        },
    };
    columns.print(events, json)
}

impl Choice {
    async fn act(self, endpoints: &Endpoints, action: Action) -> anyhow::Result<()> {
        let selection = self.filter.selection(self.event_ids);
        if !selection.is_narrow() && !self.all {
            bail!(
                "no event is selected; try: give event ids, --service, --key or --kind, or --all; --dry-run shows \
                 what is selected"
            );
        }
        let events = dead::find(endpoints, &selection).await?;
        if events.is_empty() {
            bail!(
                "the selection matches no parked event; {}",
                endpoints.advice("dead list")
            );
        }
        let done = match action {
            Action::Replay => "replayed",
            Action::Discard => "discarded",
        };
        if self.dry_run {
            list_each(&events, false)?;
            say!(
                "\n{} events would be {done}; nothing was changed.",
                events.len()
            );
            return Ok(());
        }
        let changed = dead::act(endpoints, &events, action).await?;
        say!("{changed} of {} events {done}.", events.len());
        if action == Action::Replay {
            say!(
                "The consumer tries them within a second; {}",
                endpoints.advice("dead list --waiting")
            );
        }
        Ok(())
    }
}
