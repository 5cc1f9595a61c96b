//! `medtrack dead list`.

use super::{Filter, say_wrapped};
use crate::{
    cli::{
        table::{self, Columns},
        text,
    },
    dead::{self, Cause, ParkedEvent, States},
    endpoints::Endpoints,
    words::ago,
    words::count,
};
use clap::Args;
use messaging::parked::Parked;

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// Also events that are tried again by themselves.
    #[arg(long)]
    waiting: bool,
    /// The events that were discarded, instead of the dead ones.
    #[arg(long, conflicts_with = "waiting")]
    discarded: bool,
    /// Print one line for each event.
    #[arg(long)]
    each: bool,
    /// Print at most so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let states = match (self.waiting, self.discarded) {
            (_, true) => States::Discarded,
            (true, _) => States::Open,
            _ => States::Dead,
        };
        let selected = dead::find(endpoints, &self.filter.selection(states)).await?;
        let left_out = match self.each {
            true => {
                let shown = selected.len().min(self.limit);
                each(&selected[..shown], self.json)?;
                selected.len() - shown
            }
            false => {
                let causes = dead::causes(&selected);
                let shown = causes.len().min(self.limit);
                by_cause(endpoints, &causes[..shown], self.json)?;
                causes.len() - shown
            }
        };
        table::say_left_out(left_out as u64, self.json);
        Ok(())
    }
}

fn by_cause(endpoints: &Endpoints, causes: &[Cause], json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", text::json(&causes)?);
        return Ok(());
    }
    if causes.is_empty() {
        say!("No event is parked.");
    }
    for cause in causes {
        let from = match cause.source.as_deref() {
            Some(source) if !source.is_empty() => format!(" from {source}"),
            _ => String::new(),
        };
        let (service, state, kind) = (cause.service, &cause.state, &cause.kind);
        let what = format!(
            "{service}  {} {state}  {kind}  {}{from}",
            count(cause.events as u64, "event"),
            cause.routing_key
        );
        say!("{}", text::line(&what));
        say_wrapped("    ", &cause.reason);
        let (oldest, newest) = (ago(cause.oldest), ago(cause.newest));
        let show = format!("dead show {}", cause.example);
        match cause.events {
            1 => say!("    parked {oldest} ago"),
            _ => say!("    the oldest {oldest} ago, the newest {newest} ago"),
        }
        say!("    {}", endpoints.advice(&show));
    }
    Ok(())
}

/// Prints a line for each event.
pub(super) fn each(selected: &[ParkedEvent], json: bool) -> anyhow::Result<()> {
    let columns = Columns {
        names: &[
            "EVENT",
            "SERVICE",
            "STATE",
            "PARKED",
            "CAUSE, ROUTING KEY, TRIES",
        ],
        none: "No event is parked.",
        cells: |ParkedEvent { service, parked }| {
            vec![
                parked.event_id.to_string(),
                (*service).into(),
                parked.state.clone(),
                ago(parked.first_at),
                what(parked),
            ]
        },
    };
    columns.print(selected, json)
}

fn what(parked: &Parked) -> String {
    let cause = match &parked.waits_for {
        Some(key) => format!("{} for {key}", parked.kind),
        None => parked.kind.clone(),
    };
    format!("{cause}, {}, {}", parked.routing_key, parked.attempts)
}
