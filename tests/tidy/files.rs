//! Files are short.

use crate::source::{assert_none, read, root, sources};

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

/// The compiler ignores a file that nothing declares, and with it the tests in it.
#[test]
fn each_file_of_tests_is_a_module() {
    let mut broken = Vec::new();
    let mut count = 0;
    for file in sources(&["crates", "services", "tests"], ".rs") {
        let Some((dir, name)) = file.path.rsplit_once('/') else {
            continue;
        };
        let main = format!("{dir}/main.rs");
        let is_ours = dir.ends_with("tests/it") || dir.starts_with("tests/");
        if !is_ours || name == "main.rs" || !root().join(&main).is_file() {
            continue;
        }
        count += 1;
        let declares = format!("mod {};", name.trim_end_matches(".rs"));
        if !read(&main).lines().any(|line| line == declares) {
            broken.push(format!("{main}: {declares}"));
        }
    }
    assert!(count > 20, "the files are read: {count}");
    assert_none(broken, "a file of tests is not compiled");
}
