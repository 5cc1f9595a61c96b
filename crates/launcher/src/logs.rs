//! Logs of the units: each in its own file, and in the terminal with the name of the unit before each line.

use crate::{output, units, workspace::Workspace};
use anyhow::{Context as _, bail};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::Duration,
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

fn open(path: &Path) -> io::Result<File> {
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

/// Prints the last lines of one unit or of all; with `follow` prints new lines without end. A closed output ends it.
pub(crate) async fn show(
    workspace: &Workspace,
    unit: Option<&str>,
    follow: bool,
) -> anyhow::Result<()> {
    let files = files(workspace, unit)?;
    match print(workspace, files, follow).await {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

/// The logs of one unit or of all, by the names of the units.
fn files(workspace: &Workspace, unit: Option<&str>) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    let dir = workspace.path("logs");
    let entries = fs::read_dir(&dir).context("there are no logs yet; try: ./medtrack up")?;
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
    {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if unit.is_none_or(|unit| units::full_name(unit) == name) {
            files.push((name, path));
        }
    }
    files.sort();
    if files.is_empty() {
        bail!(
            "there is no unit {:?}; try: ./medtrack ps",
            unit.unwrap_or_default()
        );
    }
    Ok(files)
}

async fn print(
    workspace: &Workspace,
    files: Vec<(String, PathBuf)>,
    follow: bool,
) -> io::Result<()> {
    let alone = files.len() == 1;
    let mut followed: Vec<(String, PathBuf, u64)> = Vec::new();
    for (name, path) in files {
        let (_, end) = tail(&path)?;
        for line in last_lines(workspace, &name, if alone { 200 } else { 10 }).lines() {
            print_line(&name, line, alone)?;
        }
        followed.push((name, path, end));
    }
    if !follow {
        return Ok(());
    }
    loop {
        for (name, path, position) in &mut followed {
            *position = print_new(name, path, *position, alone)?;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn print_new(name: &str, path: &Path, position: u64, alone: bool) -> io::Result<u64> {
    let mut file = File::open(path)?;
    // A file that is shorter than before is a new one.
    let start = if file.metadata()?.len() < position {
        0
    } else {
        position
    };
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1);
    for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
        print_line(name, line, alone)?;
    }
    Ok(start + whole as u64)
}

fn print_line(name: &str, line: &str, alone: bool) -> io::Result<()> {
    if alone {
        output::line(line)
    } else {
        output::line(&format!("{} {line}", prefix(name)))
    }
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
            paint("profile-service-consumer", false).len()
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
