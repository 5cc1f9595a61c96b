//! Files are short.

use crate::source::{assert_none, root, sources};

/// Files that may have more than 400 lines, and why.
const LONG: &[(&str, &str)] = &[];
const MAX_LINES: usize = 400;

#[test]
fn files_are_short() {
    let mut broken = Vec::new();
    let mut files = sources(&["crates", "services", "tests"], ".rs");
    files.append(&mut sources(&["migrations"], ".sql"));
    for file in files {
        let lines = file.text.lines().count();
        if lines > MAX_LINES && !LONG.iter().any(|(path, _)| *path == file.path) {
            broken.push(format!("{}: {lines} lines", file.path));
        }
    }
    broken.extend(
        LONG.iter()
            .filter(|(path, _)| !root().join(path).is_file())
            .map(|(path, _)| format!("{path}: gone")),
    );
    assert_none(
        broken,
        "over 400 lines: split it, or put it on the list with a reason",
    );
    for main in sources(&["services"], "src/main.rs") {
        assert!(
            main.text.lines().count() < 40,
            "{} is one match, under 40 lines",
            main.path
        );
    }
}
