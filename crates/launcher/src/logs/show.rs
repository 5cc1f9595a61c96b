//! `logs`: lines of several units in the order of time.

use super::{level::Level, prefix, tail};
use crate::{output, units, workspace::Workspace};
use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

/// How many lines are shown of one unit, and of several together.
const LINES: usize = 200;
const LINES_OF_SEVERAL: usize = 100;
/// The pause between two looks for new lines.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, Args)]
pub(crate) struct Logs {
    /// Go on as lines are written.
    #[arg(short, long)]
    follow: bool,
    /// Show so many of the last lines [default: 200 of one unit, 100 of several together; all with --since,
    /// --grep or --level].
    #[arg(short = 'n', long = "lines", value_name = "N")]
    lines: Option<usize>,
    /// Show only lines that were written since: how long ago (30s, 10m, 2h, 3d).
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Show only lines that contain this text, such as a request id.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Show only lines of at least this level.
    #[arg(long)]
    level: Option<Level>,
    /// The units, as `ps` names them; all without one.
    units: Vec<String>,
}

/// The log of a unit.
struct Log {
    unit: String,
    path: PathBuf,
}

/// A line of a log.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// The time as the line states it, or that of the line before it.
    at: String,
    /// The level that the line states, or that of the line before it.
    level: Level,
    unit: String,
    text: String,
}

/// How far a log was read, and what its last line stated.
struct Position {
    end: u64,
    at: String,
    level: Level,
}

impl Logs {
    fn is_wanted(&self, line: &Line) -> bool {
        let since = self
            .since
            .map(|since| since.format("%Y-%m-%dT%H:%M:%S").to_string());
        since.is_none_or(|since| line.at >= since)
            && self.level.is_none_or(|level| line.level >= level)
            && self
                .grep
                .as_ref()
                .is_none_or(|text| line.text.contains(text.as_str()))
    }

    /// Whether the whole logs are searched, and not their ends only.
    fn searches_all(&self) -> bool {
        self.since.is_some() || self.grep.is_some() || self.level.is_some()
    }

    /// The most lines that are shown.
    fn limit(&self, of_one_unit: bool) -> usize {
        match self.lines {
            Some(lines) => lines,
            None if self.searches_all() => usize::MAX,
            None if of_one_unit => LINES,
            None => LINES_OF_SEVERAL,
        }
    }

    /// Whether the ends of the logs have enough lines.
    fn needs_ends_only(&self) -> bool {
        !self.searches_all() && self.lines.is_none_or(|lines| lines <= LINES)
    }
}

/// Prints the last lines of some units or of all; with `follow` prints new lines without end. A closed output ends it.
pub(crate) async fn show(workspace: &Workspace, arguments: Logs) -> anyhow::Result<()> {
    let logs = logs(workspace, &arguments.units)?;
    match print(logs, &arguments).await {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

fn logs(workspace: &Workspace, wanted: &[String]) -> anyhow::Result<Vec<Log>> {
    let entries = fs::read_dir(workspace.path("logs"))
        .context("there are no logs yet; try: ./medtrack up")?;
    let mut logs: Vec<Log> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| Log {
            unit: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            path,
        })
        .collect();
    logs.sort_by(|one, other| one.unit.cmp(&other.unit));
    for name in wanted {
        if !logs.iter().any(|log| units::is_meant(name, &log.unit)) {
            let names: Vec<_> = logs.iter().map(|log| log.unit.as_str()).collect();
            bail!(
                "there is no log of {name:?}; there are: {}",
                names.join(", ")
            );
        }
    }
    if !wanted.is_empty() {
        logs.retain(|log| wanted.iter().any(|name| units::is_meant(name, &log.unit)));
    }
    Ok(logs)
}

async fn print(logs: Vec<Log>, arguments: &Logs) -> io::Result<()> {
    let alone = logs.len() == 1;
    let mut lines = Vec::new();
    let mut positions = Vec::new();
    for Log { unit, path } in &logs {
        let (text, end) = match arguments.needs_ends_only() {
            true => tail(path)?,
            false => whole(path)?,
        };
        let mut position = Position::at(end);
        lines.extend(position.read(unit, &text));
        positions.push(position);
    }
    lines.retain(|line| arguments.is_wanted(line));
    // Stable: lines of one unit keep their order.
    lines.sort_by(|one, other| one.at.cmp(&other.at));
    let shown = &lines[lines.len().saturating_sub(arguments.limit(alone))..];
    for line in shown {
        print_line(line, alone)?;
    }
    let all = match arguments.needs_ends_only() {
        true => logs.iter().map(|log| number_of_lines(&log.path)).sum(),
        false => lines.len(),
    };
    if shown.len() < all {
        let last = shown.len();
        output::error(&format!("The last {last} of {all} lines; all: -n {all}"));
    }
    if !arguments.follow {
        return Ok(());
    }
    loop {
        for (Log { unit, path }, position) in logs.iter().zip(&mut positions) {
            let (text, end) = new_lines(path, position.end)?;
            position.end = end;
            for line in position.read(unit, &text) {
                if arguments.is_wanted(&line) {
                    print_line(&line, alone)?;
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The number of lines of a log, with the one that it replaced.
fn number_of_lines(path: &Path) -> usize {
    let paths = [path.with_extension("log.1"), path.to_owned()];
    let files = paths.iter().filter_map(|path| File::open(path).ok());
    files
        .map(|mut file| {
            let (mut bytes, mut lines) = (vec![0; 64 * 1024], 0);
            while let Ok(length @ 1..) = file.read(&mut bytes) {
                lines += bytes[..length]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
            }
            lines
        })
        .sum()
}

/// A log with the one that it replaced, and the length of the log.
fn whole(path: &Path) -> io::Result<(String, u64)> {
    let before = fs::read(path.with_extension("log.1")).unwrap_or_default();
    let now = fs::read(path)?;
    let text = String::from_utf8_lossy(&before) + String::from_utf8_lossy(&now);
    Ok((text.into_owned(), now.len() as u64))
}

/// The whole lines that were written after a position, and the position of their end.
fn new_lines(path: &Path, position: u64) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    // A file that is shorter than before is a new one.
    let start = match file.metadata()?.len() < position {
        true => 0,
        false => position,
    };
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let last = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = last.map_or(0, |last| last + 1);
    let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
    Ok((text, start + whole as u64))
}

impl Position {
    fn at(end: u64) -> Self {
        Self {
            end,
            at: String::new(),
            level: Level::Info,
        }
    }

    fn read(&mut self, unit: &str, text: &str) -> Vec<Line> {
        let line = |text: &str| {
            if let Some(time) = time_of(text) {
                self.at = time;
            }
            self.level = Level::of(text).unwrap_or(self.level);
            Line {
                at: self.at.clone(),
                level: self.level,
                unit: unit.to_owned(),
                text: text.to_owned(),
            }
        };
        text.lines().map(line).collect()
    }
}

/// The time at the start of a line, or in the field `timestamp` of a JSON line. All units write UTC.
fn time_of(line: &str) -> Option<String> {
    const FIELD: &str = "\"timestamp\":\"";
    let start = match line.starts_with('{') {
        true => line.find(FIELD)? + FIELD.len(),
        false => 0,
    };
    let time = line.get(start..start + 19)?.replace(' ', "T");
    let digits = time.bytes().enumerate().all(|(index, byte)| match index {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    if !digits {
        return None;
    }
    let rest = line.get(start + 19..)?;
    let fraction: String = rest
        .strip_prefix(['.', ','])
        .unwrap_or_default()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some(format!("{time}.{fraction:0<6.6}"))
}

fn print_line(line: &Line, alone: bool) -> io::Result<()> {
    match alone {
        true => output::line(&line.text),
        false => output::line(&format!("{} {}", prefix(&line.unit), line.text)),
    }
}

fn since(text: &str) -> Result<DateTime<Utc>, String> {
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let number: i64 = number.parse::<u32>().ok()?.into();
        match unit {
            "s" => TimeDelta::try_seconds(number),
            "m" => TimeDelta::try_minutes(number),
            "h" => TimeDelta::try_hours(number),
            "d" => TimeDelta::try_days(number),
            _ => None,
        }
    };
    let time = ago().and_then(|ago| Utc::now().checked_sub_signed(ago));
    time.ok_or_else(|| "write it as a number and a unit, such as 10m, 2h or 3d".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_units_have_times_that_compare() {
        let of = |line| time_of(line);
        assert_eq!(
            of("2026-11-26T01:02:03.456789Z  INFO ready").unwrap(),
            "2026-11-26T01:02:03.456789"
        );
        assert_eq!(
            of("2026-11-26 01:02:03.456 UTC [12] LOG:  ready").unwrap(),
            "2026-11-26T01:02:03.456000"
        );
        assert_eq!(
            of(r#"{"timestamp":"2026-11-26T01:02:03Z","level":"INFO"}"#).unwrap(),
            "2026-11-26T01:02:03.000000"
        );
        assert_eq!(of("  continued, 2026-11-26T01:02:03Z"), None);
        assert_eq!(of("é"), None);
    }

    #[test]
    fn a_line_without_a_time_stays_after_the_one_before_it() {
        let text = "2026-11-26T01:02:03Z ERROR panicked\nat line 3\n";
        let lines = Position::at(0).read("a", text);
        assert_eq!(
            (&lines[0].at, lines[0].level),
            (&lines[1].at, lines[1].level)
        );
        assert_eq!(lines[1].level, Level::Error);
    }

    #[test]
    fn how_long_ago_is_a_number_and_a_unit() {
        let ago = since("2h").unwrap();
        let age = Utc::now() - ago;
        assert!(age >= TimeDelta::hours(2) && age < TimeDelta::minutes(121));
        for bad in ["", "h", "10", "é", "-2h", "yesterday"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
