//! What goes over the bus, as it goes.

use crate::broker;
use crate::endpoints::Endpoints;
use anyhow::Context as _;
use chrono::{DateTime, Local};
use serde_json::Value;
use std::io::IsTerminal as _;

/// Listens until Ctrl-C.
pub(crate) async fn run(
    endpoints: &Endpoints,
    patterns: Vec<String>,
    payload: bool,
    json: bool,
) -> anyhow::Result<()> {
    let broker = broker::of(endpoints)?;
    let patterns = if patterns.is_empty() {
        vec!["#".to_owned()]
    } else {
        patterns
    };
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if !json {
        say!("Listening to {}; Ctrl-C ends.", patterns.join(" "));
    }
    let listening = messaging::admin::watch(&broker, &patterns, |routing_key, body| match json {
        true => say!("{}", String::from_utf8_lossy(body).replace('\n', " ")),
        false => say!("{}", line(routing_key, body, payload, colour)),
    });
    tokio::select! {
        lost = listening => lost.context("RabbitMQ does not answer; try: ./medtrack doctor"),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}

fn line(routing_key: &str, body: &[u8], payload: bool, colour: bool) -> String {
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    let meta = &event["_meta"];
    let time = meta["timestamp"]
        .as_str()
        .and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let time = time.map_or("        –   ".into(), |time| {
        time.with_timezone(&Local)
            .format("%H:%M:%S%.3f")
            .to_string()
    });
    let key = if colour {
        // The same colour for one kind of thing.
        let hue = 31
            + routing_key
                .split('.')
                .next()
                .unwrap_or_default()
                .bytes()
                .map(u32::from)
                .sum::<u32>()
                % 6;
        format!("\x1b[{hue}m{routing_key:<20}\x1b[0m")
    } else {
        format!("{routing_key:<20}")
    };
    let said = match (&event["payload"], payload) {
        (Value::Object(fields), false) => fields.keys().cloned().collect::<Vec<_>>().join(" "),
        (Value::Null, _) => format!("{} bytes that are no event", body.len()),
        (value, _) => value.to_string(),
    };
    let word = |name: &str| meta[name].as_str().unwrap_or("–").to_owned();
    format!(
        "{time} {key} {:<16} {} {said}",
        word("source"),
        word("correlation_id")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_the_fields_and_on_request_what_they_say() {
        let body = br#"{"payload": {"email": "a@b.org"}, "_meta": {"source": "auth-service"}}"#;
        let masked = line("auth.user.created", body, false, false);
        assert!(
            masked.contains("auth-service")
                && masked.contains("email")
                && !masked.contains("a@b.org"),
            "{masked}"
        );
        assert!(line("auth.user.created", body, true, false).contains("a@b.org"));
        assert!(line("x.y", b"\xff", false, true).contains("1 bytes that are no event"));
    }
}
