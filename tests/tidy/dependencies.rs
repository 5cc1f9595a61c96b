//! What may come in from outside: licences, sources, bans; and no dependency that is not used.

use crate::{
    crates::{METADATA, cargo, workspace},
    source::{Source, assert_none, root, sources},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Permissive licences only: a hospital may use what is built from this without legal advice.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    // For the list of authorities that browsers trust: data, which may be shared with its licence's text.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that must not be built in, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "aws-lc is the one cryptography library here"),
    ("native-tls", "aws-lc is the one cryptography library here"),
    ("rsa", "RUSTSEC-2023-0071; tokens are signed with Ed25519"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Dependencies that no source names, and why they are there.
const UNNAMED: &[(&str, &str, &str)] = &[
    (
        "test-support",
        "fastrand",
        "its features, so that tests and programs share a build",
    ),
    (
        "test-support",
        "rustix",
        "its features, so that tests and programs share a build",
    ),
];

/// The most packages of others that the programs may be built from. A first `./medtrack up` has five minutes on two cores
/// (docs/performance.md, "A first build"). Mail takes 14 of them: 7 for TLS, 4 for templates, 3 for messages.
const MOST_PACKAGES: usize = 295;

fn packages() -> &'static Vec<Value> {
    METADATA["packages"].as_array().expect("a list")
}

/// Whether a licence expression leaves a choice that is allowed: `MIT OR (GPL-2.0 AND ISC)`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (allowed, rest) = any_of(&words);
    allowed && rest.is_empty()
}

fn any_of<'a, 'b>(words: &'a [&'b str]) -> (bool, &'a [&'b str]) {
    let (mut allowed, mut rest) = all_of(words);
    while let Some((&"OR", after)) = rest.split_first() {
        let (next, after) = all_of(after);
        (allowed, rest) = (allowed | next, after);
    }
    (allowed, rest)
}

fn all_of<'a, 'b>(words: &'a [&'b str]) -> (bool, &'a [&'b str]) {
    let (mut allowed, mut rest) = one(words);
    while let Some((&"AND", after)) = rest.split_first() {
        let (next, after) = one(after);
        (allowed, rest) = (allowed & next, after);
    }
    (allowed, rest)
}

fn one<'a, 'b>(words: &'a [&'b str]) -> (bool, &'a [&'b str]) {
    match words {
        ["(", inner @ ..] => match any_of(inner) {
            (allowed, [")", rest @ ..]) => (allowed, rest),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, rest @ ..] => {
            let licence = format!("{licence} WITH {exception}");
            (LICENCES.contains(&licence.as_str()), rest)
        }
        [licence, rest @ ..] => (LICENCES.contains(licence), rest),
        [] => (false, &[]),
    }
}

#[test]
fn licence_expressions_are_understood() {
    for allowed in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "GPL-3.0 AND (MIT OR ISC)",
        "(MIT",
        "MIT ISC",
        "Zlib WITH LLVM-exception",
    ] {
        assert!(!is_allowed(refused), "{refused}");
    }
}

#[test]
fn dependencies_are_licensed_for_everyone() {
    let mut broken = Vec::new();
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        if !package["source"].is_null() && !is_allowed(licence) {
            broken.push(format!("{}: {licence:?}", package["name"]));
        }
    }
    assert_none(
        broken,
        "choose another crate: this licence is not on the list",
    );
}

#[test]
fn dependencies_come_from_crates_io() {
    let mut broken = Vec::new();
    for package in packages() {
        if package["source"]
            .as_str()
            .is_some_and(|source| source != CRATES_IO)
        {
            broken.push(format!("{}: {}", package["name"], package["source"]));
        }
        for (banned, reason) in BANNED {
            if package["name"] == *banned {
                broken.push(format!("{banned}: {reason}"));
            }
        }
    }
    for package in workspace() {
        for used in &package.dependencies {
            if !used.is_path && used.requirement == "*" {
                broken.push(format!("{}: {} in any version", package.name, used.name));
            }
        }
    }
    assert_none(broken, "this dependency is not allowed");
}

/// The packages of others that the programs are built from, with their versions. `cargo metadata` names more, because it
/// also resolves what only tests need.
fn built() -> BTreeSet<String> {
    let has_program = |package: &&Value| {
        let targets = package["targets"].as_array().into_iter().flatten();
        { targets }.any(|target| target["kind"][0] == "bin") && package["source"].is_null()
    };
    let programs = packages().iter().filter(has_program);
    let programs = programs.flat_map(|package| ["-p", package["name"].as_str().expect("a name")]);
    let output = cargo(
        &["tree", "-e", "normal,build", "--prefix", "none"],
        programs,
    );
    let lines = output
        .lines()
        .map(|line| line.split(" (").next().unwrap_or(line));
    let ours: Vec<_> = workspace()
        .into_iter()
        .map(|package| package.name)
        .collect();
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    { lines }
        .filter(|line| !line.is_empty() && !ours.contains(&name(line)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_first_build_compiles_a_limited_number_of_packages() {
    let count = built().len();
    assert!(
        (MOST_PACKAGES - 20..=MOST_PACKAGES).contains(&count),
        "the programs are built from {count} packages of others; take one with fewer dependencies or features \
         (`cargo tree --workspace -e normal,build`), or move the limit and say why"
    );
}

#[test]
fn every_dependency_is_used() {
    let mut broken = Vec::new();
    for package in workspace() {
        let files = sources(&[&package.dir], ".rs");
        for used in &package.dependencies {
            let excused = UNNAMED
                .iter()
                .any(|(name, library, _)| *name == package.name && *library == used.name);
            // What is there for tests only may stand in the tests of `src/` too.
            let is_named = files
                .iter()
                .filter(|file| used.for_tests || !file.path.contains("/tests/"))
                .any(|file| names(file, &used.name.replace('-', "_")));
            if !is_named && !excused {
                broken.push(format!("{}: {}", package.name, used.name));
            }
        }
    }
    for line in std::fs::read_to_string(root().join("Cargo.toml"))
        .expect("there is a workspace")
        .split("[workspace.dependencies]")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("it lists dependencies")
        .lines()
    {
        if let Some((name, _)) = line.split_once(" = ") {
            let used = workspace()
                .iter()
                .any(|package| package.dependencies.iter().any(|used| used.name == name));
            if !used {
                broken.push(format!("Cargo.toml: {name}"));
            }
        }
    }
    assert_none(broken, "nothing uses this dependency: remove it");
}

/// Whether a file names a crate: `sha2::Sha256`, `use sha2;`.
fn names(file: &Source, library: &str) -> bool {
    let text: Vec<&str> = file
        .text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let text = text.join("\n");
    text.match_indices(library).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + library.len()..];
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            && (after.starts_with("::") || text[..at].ends_with("use "))
    })
}
