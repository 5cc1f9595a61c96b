//! `medtrack doctor`.

mod lines;

use super::text;
use crate::{
    checks::{self, Finding, Level},
    endpoints::Endpoints,
};
use clap::Args;
use std::{io::IsTerminal as _, process::ExitCode};

/// Warnings only.
const WARNINGS: u8 = 2;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print only what is not good, and nothing when all is good.
    #[arg(short, long)]
    quiet: bool,
    /// Print a line for each check that is good, too.
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Print JSON: a list of all findings, each with an id that stays the same.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Prints the findings of all checks.
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<ExitCode> {
        let mut findings = checks::run(endpoints).await;
        let worst = findings.iter().map(|finding| finding.level).max();
        let summary = lines::summary(&findings);
        if self.quiet {
            findings.retain(|finding| finding.level != Level::Good);
        }
        if self.json {
            say!("{}", text::json(&findings)?);
            return Ok(exit_code(worst));
        }
        let before = findings.len();
        if !self.verbose {
            findings.retain(|finding| finding.level != Level::Good || lines::is_under_way(finding));
        }
        print(&findings);
        if !self.quiet {
            if let Some(line) = lines::good(before - findings.len(), before) {
                print_line(&line, Level::Good);
            }
            say!("\n{summary}");
        }
        Ok(exit_code(worst))
    }
}

fn exit_code(worst: Option<Level>) -> ExitCode {
    match worst {
        Some(Level::Broken) => ExitCode::FAILURE,
        Some(Level::Warning) => ExitCode::from(WARNINGS),
        Some(Level::Good) | None => ExitCode::SUCCESS,
    }
}

fn print(findings: &[Finding]) {
    let causes = findings
        .iter()
        .filter(|finding| finding.follows_from.is_none());
    for cause in causes {
        let consequences = lines::consequences(findings, cause);
        for (position, line) in lines::of(cause, &consequences).iter().enumerate() {
            match position {
                0 => print_line(line, cause.level),
                _ => say!("{}", text::line(line)),
            }
        }
    }
}

fn print_line(line: &str, level: Level) {
    let line = text::line(line);
    match colours() {
        true => super::say_styled!("{}{line}\x1b[0m", colour(level)),
        false => say!("{line}"),
    }
}

/// Only a terminal shows colours, and only where the person wants them (no-color.org).
fn colours() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_dumb = set("TERM").is_none_or(|term| term == "dumb");
    std::io::stdout().is_terminal() && set("NO_COLOR").is_none() && !is_dumb
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::Good => "\x1b[32m",
        Level::Warning => "\x1b[33m",
        Level::Broken => "\x1b[1;31m",
    }
}
