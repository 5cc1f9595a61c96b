//! `medtrack events replay`.

use crate::{
    cli::{
        text,
        who::{Person, Who},
    },
    endpoints::Endpoints,
    replay::{self, Producer, Replay, Request},
};
use chrono::{DateTime, Utc};
use clap::{Args, builder::PossibleValuesParser};
use events::topology::SERVICES;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// The pause between two lines that say how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only events that were published since: a time (RFC 3339; UTC without a zone), or how long ago (30m, 2h, 3d).
    #[arg(long, value_name = "TIME", value_parser = replay::read_since)]
    since: DateTime<Utc>,
    /// The service that has missed events.
    #[arg(long, value_name = "SERVICE",
          value_parser = PossibleValuesParser::new(SERVICES.map(|service| service.short)))]
    to: String,
    /// Only events with this routing key; a topic pattern selects several.
    #[arg(long, value_name = "ROUTING KEY")]
    key: Option<String>,
    /// Change nothing; say what would be published again.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    who: Who,
}

impl Arguments {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let to = SERVICES
            .into_iter()
            .find(|service| service.short == self.to);
        let request = Request {
            to: to.expect("clap takes the names of services only"),
            since: self.since,
            key: self.key,
        };
        let person = match self.dry_run {
            true => None,
            false => Some(self.who.person(endpoints)?),
        };
        let actor = person.as_ref().map(Person::actor);
        let said = Cell::new(Instant::now());
        let result = replay::replay(endpoints, &request, actor, |producer| {
            if said.get().elapsed() >= PROGRESS {
                said.set(Instant::now());
                eprintln!(
                    "{}-service: {} events compared, {} missed so far",
                    producer.service,
                    grouped(producer.events),
                    grouped(producer.published_again)
                );
            }
        })
        .await?;
        if self.json {
            say!("{}", text::json(&result)?);
        } else {
            print(&result, endpoints);
        }
        Ok(())
    }
}

fn print(result: &Replay, endpoints: &Endpoints) {
    let done = match result.dry_run {
        true => "would be published again",
        false => "are published again",
    };
    let to = format!("{}-service", result.to);
    for producer in &result.producers {
        let Producer {
            service,
            events,
            published_again,
            ..
        } = producer;
        if *events > 0 {
            say!(
                "{} of {} events of {service}-service {done}",
                grouped(*published_again),
                grouped(*events)
            );
        }
    }
    let again = result.sum(|producer| producer.published_again);
    let gone = result.sum(|producer| producer.without_text);
    if again == 0 && gone == 0 {
        let since = result.compared_since().format("%Y-%m-%d %H:%M:%S UTC");
        say!("{to} has missed nothing since {since}.");
    } else if result.dry_run {
        say!("Nothing was changed.");
    } else if again > 0 {
        let next = endpoints.advice("outbox");
        say!(
            "They keep their ids, so nothing is done twice. The relays publish them within seconds; {next}"
        );
    }
    let reconcile = endpoints.advice("reconcile --fix");
    if gone > 0 {
        say!(
            "{} more have no text any more, as after an erasure; what still matters of them is announced again: {reconcile}",
            grouped(gone)
        );
    }
    if result.is_older_than_kept() {
        let days = replay::TEXT_IS_KEPT.num_days();
        say!(
            "What was published more than {days} days ago is not kept; it is announced again: {reconcile}"
        );
    }
}

/// Writes a number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let texts = [0, 999, 20_114, 1_000_000].map(grouped);
        assert_eq!(texts, ["0", "999", "20,114", "1,000,000"]);
    }
}
