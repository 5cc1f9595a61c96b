//! `medtrack doctor`.

use super::text;
use crate::{
    checks::{self, Level},
    endpoints::Endpoints,
};
use std::process::ExitCode;

/// Prints the findings of all checks. The exit code is 1 when something does not work.
pub(super) async fn run(endpoints: &Endpoints, json: bool) -> anyhow::Result<ExitCode> {
    let findings = checks::run(endpoints).await;
    let count = |level| {
        let of_level = findings.iter().filter(|finding| finding.level == level);
        of_level.count()
    };
    if json {
        say!("{}", text::json(&findings)?);
    } else {
        for finding in &findings {
            let mark = match finding.level {
                Level::Good => "✓",
                Level::Warning => "!",
                Level::Broken => "✗",
            };
            say!("{mark} {}", finding.what);
            if let Some(advice) = &finding.advice {
                say!("    try: {advice}");
            }
        }
        say!(
            "\n{} checks, {} broken, {} to look at",
            findings.len(),
            count(Level::Broken),
            count(Level::Warning)
        );
    }
    Ok(match count(Level::Broken) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
