//! What the doctor finds, as a program reads it, and what it prints, as a person reads it.

use crate::{medtrack, text};
use serde_json::Value;
use std::{process::Output, time::Duration};
use test_support::Stack;
use tokio::time::timeout;

/// How long the doctor may take: RabbitMQ's management tells of the last seconds, and each visit has many checks.
pub(crate) const DOCTOR: Duration = Duration::from_secs(60);
/// The widest line of a sentence. A command is longer where it has to be.
const COLUMNS: usize = 80;

/// The findings of one run.
pub(crate) struct Findings {
    all: Vec<Value>,
    /// The exit status.
    pub(crate) status: Option<i32>,
}

impl Findings {
    pub(crate) fn read(output: &Output) -> Self {
        Self::of(&text(output), output.status.code())
    }

    /// Reads what `doctor --json` prints, and compares its exit status.
    pub(crate) fn of(printed: &str, code: Option<i32>) -> Self {
        let all: Vec<Value> =
            serde_json::from_str(printed).unwrap_or_else(|_| panic!("no JSON: {printed}"));
        let has = |level: &str| all.iter().any(|finding| finding["level"] == level);
        let status = match (has("broken"), has("warning")) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        };
        assert_eq!(code, Some(status), "{all:#?}");
        Self { status: code, all }
    }

    /// What is not good and follows from nothing else.
    pub(crate) fn causes(&self) -> Vec<&Value> {
        let bad = self.all.iter().filter(|finding| finding["level"] != "good");
        bad.filter(|finding| finding["follows_from"].is_null())
            .collect()
    }

    /// The ids of the causes.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let causes = self.causes().into_iter();
        causes.filter_map(|cause| cause["id"].as_str()).collect()
    }

    /// The finding with this id, whatever its level.
    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.all.iter().find(|finding| finding["id"] == id)
    }

    /// The ids of what follows from another finding.
    pub(crate) fn followers(&self) -> Vec<&str> {
        let followers = self.all.iter();
        let followers = followers.filter(|finding| !finding["follows_from"].is_null());
        followers.filter_map(|one| one["id"].as_str()).collect()
    }
}

/// The commands that a finding advises.
pub(crate) fn commands(finding: &Value) -> Vec<String> {
    let commands = finding["try"].as_array().into_iter().flatten();
    commands
        .filter_map(|command| command.as_str().map(str::to_owned))
        .collect()
}

pub(crate) async fn findings(stack: &Stack) -> Findings {
    Findings::read(&medtrack(stack, "doctor --json").await)
}

/// Waits until the doctor finds this, and nothing else as a cause.
pub(crate) async fn only(stack: &Stack, id: &str) -> Value {
    causes_are(stack, &[id]).await.causes()[0].clone()
}

/// Waits until the doctor finds these causes, and no others.
pub(crate) async fn causes_are(stack: &Stack, ids: &[&str]) -> Findings {
    causes(ids, async || findings(stack).await).await
}

/// Waits until these are the causes.
///
/// # Panics
/// With the last findings, when they are not in time.
pub(crate) async fn causes(ids: &[&str], mut look: impl AsyncFnMut() -> Findings) -> Findings {
    let mut last = look().await;
    let search = timeout(DOCTOR, async {
        while last.ids() != ids {
            last = look().await;
        }
    });
    let in_time = search.await.is_ok();
    assert!(in_time, "not {ids:?}: {:#?}", last.causes());
    last
}

/// Waits until the doctor finds nothing.
pub(crate) async fn well(stack: &Stack) {
    causes_are(stack, &[]).await;
}

/// What a person sees of the first cause: its first line, and the commands below it.
pub(crate) struct Seen {
    pub(crate) first: String,
    pub(crate) commands: Vec<String>,
}

impl Seen {
    /// Reads what the doctor prints. It prints no colours here, no raw JSON, and no sentence that is too wide.
    pub(crate) fn read(printed: &str) -> Self {
        assert!(!printed.contains('\x1b'), "{printed}");
        for line in printed.lines().filter(|line| !line.contains("    try: ")) {
            assert!(line.chars().count() <= COLUMNS, "{line}");
            assert!(!line.contains(['{', '}', '"']), "raw JSON: {line}");
        }
        let mut lines = printed.lines();
        let mut first = lines.next().unwrap_or_default().to_owned();
        let mut commands = Vec::new();
        let mut is_first = true;
        for line in lines {
            if let Some(command) = line.strip_prefix("    try: ") {
                commands.push(command.to_owned());
            } else if is_first
                && line.starts_with("  ")
                && !line.trim_start().starts_with('→')
                && !line.starts_with("    ")
            {
                first = format!("{first} {}", line.trim());
                continue;
            } else if !line.starts_with("  ") {
                break;
            }
            is_first = false;
        }
        Self { first, commands }
    }
}

/// Compares what a person sees with the row of `docs/reliability/faults.md`, whose figures are another run's.
pub(crate) fn assert_documented(fault: &str, seen: &Seen) {
    let document = include_str!("../../docs/reliability/faults.md");
    let mut rows = document.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        (cells.len() == 3 && cells[0] == fault).then_some(cells)
    });
    let row = rows.next();
    let row = row.unwrap_or_else(|| panic!("faults.md has no row {fault:?}"));
    let commands: Vec<String> = seen
        .commands
        .iter()
        .map(|command| format!("`{command}`"))
        .collect();
    let advice = match commands.is_empty() {
        true => "–".to_owned(),
        false => commands.join(", then "),
    };
    assert_eq!(
        (without_figures(row[1]), without_figures(row[2])),
        (
            without_figures(&format!("`{}`", seen.first)),
            without_figures(&advice)
        ),
        "the row {fault:?} of faults.md"
    );
}

/// A text with each number as `N`.
fn without_figures(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c.is_ascii_digit() {
            true if plain.ends_with('N') => {}
            true => plain.push('N'),
            false => plain.push(c),
        }
    }
    plain
}
