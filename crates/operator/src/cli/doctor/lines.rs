//! The findings as lines of at most 80 columns. A command stands on a line of its own and is never broken, so that it can
//! be copied.

use crate::{
    checks::{Finding, Id, Level},
    cli::text,
    words::{count, seconds},
};

const INDENT: &str = "    ";

/// The lines of a cause, of what follows from it, and of what helps.
pub(super) fn of(cause: &Finding, consequences: &[&Finding]) -> Vec<String> {
    let mark = match cause.level {
        Level::Good => "✓",
        Level::Warning => "!",
        Level::Broken => "✗",
    };
    let mut lines = wrap(&format!("{mark} "), &cause.what);
    for consequence in summed(consequences) {
        lines.extend(wrap("  → ", &consequence));
    }
    if let Some(hint) = &cause.hint {
        lines.extend(wrap(INDENT, hint));
    }
    let commands = cause.advice.iter();
    lines.extend(commands.map(|command| format!("{INDENT}try: {command}")));
    lines
}

/// What follows from a cause, directly or by way of another finding.
pub(super) fn consequences<'a>(findings: &'a [Finding], cause: &Finding) -> Vec<&'a Finding> {
    let follows = |finding: &Finding| {
        let mut next = finding.follows_from.clone();
        // The order of ids has no circles.
        while let Some(from) = next {
            if from == cause.cause() {
                return true;
            }
            let direct = findings.iter().find(|one| one.cause() == from);
            next = direct.and_then(|one| one.follows_from.clone());
        }
        false
    };
    findings.iter().filter(|finding| follows(finding)).collect()
}

/// Whether a good finding tells of events that are on their way. A person sees it also where what is good is summed up.
pub(super) fn is_under_way(finding: &Finding) -> bool {
    matches!(finding.id, Id::Outbox | Id::Parked) && finding.get("events") > 0
}

/// One line for the checks that are good and not printed.
pub(super) fn good(hidden: usize, of: usize) -> Option<String> {
    match hidden {
        0 => None,
        _ if hidden == of => Some(format!("✓ all {of} checks are good (--verbose lists them)")),
        _ => Some(format!(
            "✓ {hidden} of {of} checks are good (--verbose lists them)"
        )),
    }
}

pub(super) fn summary(findings: &[Finding]) -> String {
    let number = |level, is_cause: bool| {
        let of_level = findings
            .iter()
            .filter(|finding| finding.level == level && finding.follows_from.is_none() == is_cause);
        of_level.count() as u64
    };
    let follow = match number(Level::Broken, false) + number(Level::Warning, false) {
        0 => String::new(),
        more => format!(" ({more} more follow from that)"),
    };
    format!(
        "{}, {} broken{follow}, {}",
        count(findings.len() as u64, "check"),
        number(Level::Broken, true),
        count(number(Level::Warning, true), "warning")
    )
}

/// One line for the findings of each kind.
fn summed(consequences: &[&Finding]) -> Vec<String> {
    let mut ids: Vec<Id> = consequences.iter().map(|finding| finding.id).collect();
    ids.dedup();
    let of_kind = |id: Id| {
        let same = consequences.iter().filter(|finding| finding.id == id);
        let same: Vec<&Finding> = same.copied().collect();
        sum(id, &same)
    };
    ids.into_iter().flat_map(of_kind).collect()
}

fn sum(id: Id, findings: &[&Finding]) -> Vec<String> {
    let units: Vec<&str> = findings
        .iter()
        .filter_map(|finding| finding.unit.as_deref())
        .collect();
    let total = |figure: &str| {
        findings
            .iter()
            .map(|finding| finding.get(figure))
            .sum::<u64>()
    };
    match (id, findings) {
        (_, [one]) => vec![one.what.clone()],
        (Id::ProcessNotReady | Id::ProcessDown, _) => {
            let are_consumers = units.iter().all(|unit| unit.contains("-consumer"));
            let noun = if are_consumers { "consumer" } else { "process" };
            let number = count(findings.len() as u64, noun);
            vec![format!("{number} wait for it: {}", units.join(", "))]
        }
        (Id::EventsUnpublished, _) => {
            let oldest = findings
                .iter()
                .map(|finding| finding.get("oldest_seconds"))
                .max();
            vec![format!(
                "{} wait to be published, the oldest for {}",
                count(total("events"), "event"),
                seconds(oldest.unwrap_or_default())
            )]
        }
        (Id::RelayFailing, _) => {
            let number = count(findings.len() as u64, "process");
            vec![format!(
                "{number} cannot publish events: {}",
                units.join(", ")
            )]
        }
        (Id::QueueWithoutConsumer, _) => vec![format!(
            "{} wait in {} without a consumer",
            count(total("events"), "event"),
            units.join(", ")
        )],
        _ => findings
            .iter()
            .map(|finding| finding.what.clone())
            .collect(),
    }
}

/// Breaks a sentence between words. The lines after the first begin below the sentence.
fn wrap(head: &str, sentence: &str) -> Vec<String> {
    let lines = text::hanging(head, sentence, text::WIDTH);
    lines.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_broken_between_words() {
        let lines = wrap("✗ ", &"word ".repeat(40));
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| line.chars().count() <= text::WIDTH));
        assert!(lines[1].starts_with("  word"), "{lines:?}");
        let words: Vec<&str> = lines
            .iter()
            .flat_map(|line| line.split_whitespace())
            .collect();
        assert_eq!(words.len(), 41);
    }
}
