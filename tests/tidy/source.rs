//! The files of the workspace, and how the rules read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of the workspace.
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The text up to the unit tests at its end, without comments.
    pub(crate) fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines
            .map(|line| line.split(" // ").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    }

    pub(crate) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// The room of a service, such as `store` for `services/auth/src/store/users.rs`.
    pub(crate) fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("services/")?.split_once("/src/")?.1;
        rest.split(['/', '.']).next()
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace")
        .to_owned()
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files with this ending under these places.
pub(crate) fn sources(places: &[&str], ending: &str) -> Vec<Source> {
    let mut matches = Vec::new();
    let mut dirs: Vec<PathBuf> = places.iter().map(|place| root().join(place)).collect();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        {
            let path = entry.expect("a directory can be listed").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = read(&path);
                let path = path
                    .strip_prefix(root())
                    .expect("it lies below the root")
                    .display()
                    .to_string();
                matches.push(Source { path, text });
            }
        }
    }
    assert!(!matches.is_empty(), "nothing to check in {places:?}");
    matches
}

/// The source of the system: no tests, nothing that only tests use.
pub(crate) fn system() -> Vec<Source> {
    let mut files = sources(&["crates", "services"], ".rs");
    files.retain(|file| !file.path.contains("/tests/") && !file.is_in(&["crates/test-support/"]));
    files
}

pub(crate) fn services() -> Vec<Source> {
    sources(&["services"], ".rs")
        .into_iter()
        .filter(|file| file.room().is_some())
        .collect()
}

/// The rooms of its own crate that a file names: `store` and `domain` in `use crate::{domain::Person, store};`.
pub(crate) fn rooms_used(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            rooms.push(word(rest));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    rooms.push(word(list[start..i].trim()));
                    start = i + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    rooms
}

pub(crate) fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

pub(crate) fn assert_none(broken: Vec<String>, advice: &str) {
    assert!(broken.is_empty(), "{advice}:\n  {}", broken.join("\n  "));
}

/// The files among `files` whose code contains any of `texts`.
pub(crate) fn containing(files: &[Source], texts: &[&str]) -> Vec<String> {
    let mut matches = Vec::new();
    for file in files {
        let code = file.code();
        matches.extend(
            texts
                .iter()
                .filter(|text| code.contains(**text))
                .map(|text| format!("{}: {text}", file.path)),
        );
    }
    matches
}

#[test]
fn the_reader_of_use_lines_understands_them() {
    let code = "use crate::{\n actions::{self, New},\n domain::Person,\n store};\nuse crate::http::x; crate::config::y();";
    assert_eq!(
        rooms_used(code),
        ["actions", "domain", "store", "http", "config"]
    );
    let source = Source {
        path: "services/auth/src/store/users.rs".into(),
        text: "a(); // no b\n// c\n#[cfg(test)]\nd".into(),
    };
    assert_eq!(
        (source.code().as_str(), source.room()),
        ("a();", Some("store"))
    );
}
