//! `medtrack watch`.

use super::text;
use crate::{endpoints::Endpoints, watch};
use chrono::{DateTime, Local};
use clap::Args;
use serde_json::Value;
use std::io::IsTerminal as _;

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Topic patterns: * is one word, # any number.
    patterns: Vec<String>,
    /// Show the values of the fields: they may name a person.
    #[arg(long)]
    payload: bool,
    /// Print one message on each line, as it was published.
    #[arg(long)]
    json: bool,
}

impl Watch {
    /// Prints until Ctrl-C.
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let patterns = match self.patterns.is_empty() {
            true => vec!["#".to_owned()],
            false => self.patterns,
        };
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        if !self.json {
            say!("Listening to {}; Ctrl-C ends.", patterns.join(" "));
        }
        let listening = watch::listen(endpoints, &patterns, |routing_key, body| match self.json {
            true => say!("{}", text::json_line(&String::from_utf8_lossy(body))),
            false => say_styled!("{}", line(routing_key, body, self.payload, colour)),
        });
        tokio::select! {
            lost = listening => lost,
            stopped = tokio::signal::ctrl_c() => Ok(stopped?),
        }
    }
}

fn line(routing_key: &str, body: &[u8], payload: bool, colour: bool) -> String {
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    let meta = &event["_meta"];
    let field = |name: &str| text::line(meta[name].as_str().unwrap_or("–"));
    let routing_key = text::line(routing_key);
    let time =
        DateTime::parse_from_rfc3339(&field("timestamp")).map_or("        –   ".into(), |time| {
            let local = time.with_timezone(&Local);
            local.format("%H:%M:%S%.3f").to_string()
        });
    let key = match colour {
        true => format!("\x1b[{}m{routing_key:<20}\x1b[0m", hue(&routing_key)),
        false => format!("{routing_key:<20}"),
    };
    let content = match (&event["payload"], payload) {
        (Value::Object(fields), false) => fields.keys().cloned().collect::<Vec<_>>().join(" "),
        (Value::Null, _) => format!("{} bytes that are no event", body.len()),
        (value, _) => value.to_string(),
    };
    format!(
        "{time} {key} {:<16} {} {}",
        field("source"),
        field("correlation_id"),
        text::line(&content)
    )
}

/// Returns the ANSI colour of a routing key; keys with the same first word have the same.
fn hue(routing_key: &str) -> u32 {
    let first = routing_key.split('.').next().unwrap_or_default();
    31 + first.bytes().map(u32::from).sum::<u32>() % 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_the_fields_and_on_request_their_values() {
        let body = br#"{"payload": {"email": "a@b.org"}, "_meta": {"source": "auth-service"}}"#;
        let masked = line("auth.user.created", body, false, false);
        assert!(
            masked.contains("auth-service")
                && masked.contains("email")
                && !masked.contains("a@b.org"),
            "{masked}"
        );
        assert!(line("auth.user.created", body, true, false).contains("a@b.org"));
        let hostile = br#"{"payload": {"\u001b[31m": 1}, "_meta": {"source": "\u202e\n"}}"#;
        let safe = line("a.\u{7}b", hostile, true, false);
        assert!(
            !safe.contains(['\x1b', '\x07', '\u{202e}', '\n']),
            "{safe:?}"
        );
        assert!(line("x.y", b"\xff", false, true).contains("1 bytes that are no event"));
    }
}
