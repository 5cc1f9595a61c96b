//! The list of signing keys.
#![expect(
    clippy::print_stdout,
    reason = "this is a response of a command, not a log line"
)]

use crate::{
    config::KeysList,
    store::keys::{self, KeyTimes},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use service_kit::{Process, config::CommandConfig, database};

/// A key, as the list shows it.
#[derive(Debug, Serialize)]
struct Key {
    kid: String,
    /// `next`, `signs`, `retired` or `withdrawn`.
    state: &'static str,
    created_at: DateTime<Utc>,
    /// A minute after it was made, when all replicas have published it. The very first key signs at once.
    signs_from: DateTime<Utc>,
    retired_at: Option<DateTime<Utc>>,
    published_until: Option<DateTime<Utc>>,
}

/// Prints the signing keys, the newest first.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn list_keys(
    config: CommandConfig<KeysList>,
    process: Process,
) -> anyhow::Result<()> {
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let keys = described(keys::list(&mut *pool.acquire().await?).await?);
    if config.own.json {
        println!("{}", serde_json::to_string_pretty(&keys)?);
        return Ok(());
    }
    println!(
        "{:36}  {:9}  {:20}  {:20}  {:20}  published until",
        "kid", "state", "made", "signs from", "retired"
    );
    for key in keys {
        println!(
            "{:36}  {:9}  {:20}  {:20}  {:20}  {}",
            key.kid,
            key.state,
            time(Some(key.created_at)),
            time(Some(key.signs_from)),
            time(key.retired_at),
            time(key.published_until),
        );
    }
    Ok(())
}

fn described(rows: Vec<KeyTimes>) -> Vec<Key> {
    let first = rows.len().saturating_sub(1);
    // As `tokens.rs` chooses: the newest that may sign, else the oldest that is published.
    let signing = rows
        .iter()
        .position(|row| row.is_published && row.may_sign)
        .or_else(|| rows.iter().rposition(|row| row.is_published));
    let keys = rows.into_iter().enumerate();
    keys.map(|(i, row)| {
        let wait = TimeDelta::seconds(if i == first { 0 } else { 60 });
        let retired = row.retired_at.is_some_and(|at| at <= Utc::now());
        let state = match (Some(i) == signing, row.is_published, retired) {
            (true, ..) => "signs",
            (_, false, _) => "withdrawn",
            (_, _, true) => "retired",
            _ => "next",
        };
        Key {
            kid: row.kid,
            state,
            created_at: row.created_at,
            signs_from: row.created_at + wait,
            retired_at: row.retired_at,
            published_until: row.retired_at.map(|at| at + TimeDelta::hours(1)),
        }
    })
    .collect()
}

fn time(time: Option<DateTime<Utc>>) -> String {
    let text = time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
    text.unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kid: &str, age: i64, retired: Option<i64>) -> KeyTimes {
        let ago = |seconds| Utc::now() - TimeDelta::seconds(seconds);
        KeyTimes {
            kid: kid.into(),
            created_at: ago(age),
            retired_at: retired.map(ago),
            may_sign: retired.is_none_or(|seconds| seconds < 0) && age > 60,
            is_published: retired.is_none_or(|seconds| seconds < 3600),
        }
    }

    fn states(rows: Vec<KeyTimes>) -> Vec<(String, &'static str)> {
        let keys = described(rows).into_iter();
        keys.map(|key| (key.kid, key.state)).collect()
    }

    #[test]
    fn one_key_signs_and_the_others_say_why_they_do_not() {
        let expected = [("new", "next"), ("old", "signs")];
        let rows = vec![row("new", 5, None), row("old", 900, Some(-55))];
        assert_eq!(
            states(rows),
            expected.map(|(kid, state)| (kid.to_owned(), state))
        );
        let expected = [("c", "signs"), ("b", "retired"), ("a", "withdrawn")];
        let rows = vec![
            row("c", 900, None),
            row("b", 9000, Some(800)),
            row("a", 90_000, Some(9000)),
        ];
        assert_eq!(
            states(rows),
            expected.map(|(kid, state)| (kid.to_owned(), state))
        );
        assert_eq!(states(vec![row("only", 1, None)])[0].1, "signs");
    }
}
