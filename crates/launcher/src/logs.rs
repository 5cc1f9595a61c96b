//! Logs of the units: each in its own file, and in the terminal with the name of the unit before each line.

mod level;
mod show;

pub(crate) use show::{Logs, show};

use crate::{output, workspace::Workspace};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// A log that is larger is renamed, and a new one begins. The renamed one replaces the one before.
const LIMIT: u64 = 20 * 1024 * 1024;

/// Writes the lines of a unit into its log, and to the terminal when `shown`.
pub(crate) async fn pump(
    stream: impl AsyncRead + Unpin,
    workspace: Workspace,
    unit: String,
    shown: bool,
) {
    let path = workspace.log(&unit);
    let Ok(mut file) = open(&path) else { return };
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let text = String::from_utf8_lossy(&line);
        if shown {
            output::say(&format!("{} {text}", prefix(&unit)));
        }
        let _ = writeln!(file, "{text}");
        if file.metadata().is_ok_and(|metadata| metadata.len() > LIMIT) {
            match open(&path) {
                Ok(fresh) => file = fresh,
                Err(_) => return,
            }
        }
    }
}

/// Opens a log to append to it. A log that is too large is renamed, and a new one begins.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LIMIT) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

fn prefix(unit: &str) -> String {
    paint(
        unit,
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    )
}

fn paint(unit: &str, colour: bool) -> String {
    if !colour {
        return format!("{unit:<25} |");
    }
    let code = 31 + unit.bytes().map(u32::from).sum::<u32>() % 6;
    format!("\x1b[{code}m{unit:<25} |\x1b[0m")
}

/// The last lines of a unit's log.
pub(crate) fn last_lines(workspace: &Workspace, unit: &str, number: usize) -> String {
    let text = tail(&workspace.log(unit))
        .map(|(text, _)| text)
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(number)..].join("\n")
}

/// The last part of a file, and the file's length.
fn tail(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(end.saturating_sub(64 * 1024)))?;
    let mut bytes = Vec::new();
    file.take(end).read_to_end(&mut bytes)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Workspace {
        let dir = std::env::temp_dir().join(format!("medtrack-logs-{}", uuid::Uuid::new_v4()));
        let workspace = Workspace {
            repository: dir.clone(),
            state_dir: dir,
        };
        workspace.create().unwrap();
        workspace
    }

    #[test]
    fn prefixes_line_up_and_are_coloured_only_for_a_terminal() {
        assert_eq!(
            paint("rabbitmq", false).len(),
            paint("profile-consumer", false).len()
        );
        assert!(!paint("rabbitmq", false).contains('\x1b'));
        let coloured = paint("rabbitmq", true);
        assert!(
            coloured.starts_with("\x1b[3") && coloured.ends_with("\x1b[0m"),
            "{coloured:?}"
        );
    }

    #[tokio::test]
    async fn a_log_that_is_too_large_is_renamed() {
        let workspace = workspace();
        fs::write(
            workspace.log("auth-service"),
            vec![b'x'; usize::try_from(LIMIT).unwrap() + 1],
        )
        .unwrap();
        pump(
            &b"one\n\xff two\n"[..],
            workspace.clone(),
            "auth-service".to_owned(),
            false,
        )
        .await;
        assert_eq!(
            last_lines(&workspace, "auth-service", 9),
            "one\n\u{fffd} two"
        );
        assert!(
            workspace
                .log("auth-service")
                .with_extension("log.1")
                .exists()
        );
        fs::remove_dir_all(workspace.state_dir).unwrap();
    }
}
