//! The documents name files, links and commands that exist.

use crate::source::{assert_none, read, root};
use std::collections::HashSet;

const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

/// The links of a document: their texts and their targets.
fn links(text: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    for (at, _) in text.match_indices("](") {
        let label = text[..at].rsplit('[').next().unwrap_or_default();
        let target = text[at + 2..].split(')').next().unwrap_or_default();
        links.push((label.trim_matches('`').to_owned(), target.to_owned()));
    }
    links
}

#[test]
fn every_link_leads_to_a_file() {
    let mut broken = Vec::new();
    for document in DOCUMENTS {
        for (_, target) in links(&read(document)) {
            let path = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && !path.is_empty() && !root().join(path).exists() {
                broken.push(format!("{document}: {target}"));
            }
        }
    }
    assert_none(broken, "this link leads nowhere");
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let readme = read("README.md");
    let (_, promises) = readme
        .split_once("| promise | test |\n")
        .expect("the README has a table of promises");
    let mut broken = Vec::new();
    let mut count = 0;
    for line in promises
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
    {
        let tests = links(line);
        if tests.is_empty() {
            broken.push(format!("no test: {line}"));
        }
        for (name, path) in tests {
            count += 1;
            let is_there = root().join(&path).is_file()
                && (name == path || read(&path).contains(&format!("fn {name}(")));
            if !is_there {
                broken.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(count >= 12, "the promises are read: {count}");
    assert_none(broken, "a promise of README.md needs a test that exists");
}

/// The files that CONTRIBUTING.md names are there. A name in angle brackets stands for one that the reader chooses.
#[test]
fn every_file_to_touch_exists() {
    let text = read("CONTRIBUTING.md");
    let mut broken = Vec::new();
    let mut count = 0;
    for name in text.split('`').skip(1).step_by(2) {
        let is_path = name.contains('/') || name.ends_with(".yml") || name.ends_with("Dockerfile");
        let is_own = name.contains(['<', ' ', '*', '…', ':', '{']) || name.starts_with("./");
        if is_path && !is_own {
            count += 1;
            if !root().join(name).exists() {
                broken.push(name.to_owned());
            }
        }
    }
    assert!(count > 10, "the files are read: {count}");
    assert_none(broken, "CONTRIBUTING.md names a file that is not there");
}

#[test]
fn every_mended_defect_names_tests_that_exist() {
    let page = read("docs/reliability/defects.md");
    let (mut broken, mut numbers) = (Vec::new(), HashSet::new());
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let digits: String = cells[1].chars().take_while(char::is_ascii_digit).collect();
        numbers.extend(digits.parse::<u32>());
        let tests = links(cells[5]);
        if cells[3] == "mended" && tests.is_empty() {
            broken.push(format!("{}: no test", cells[1]));
        }
        broken.extend(missing(cells[1], tests));
    }
    assert_eq!(numbers, (1..=40).collect(), "every defect has a line");
    assert_none(broken, "a mended defect needs a test that exists");
}

/// A requirement that is met names a test, or says what meets it where no test can.
#[test]
fn every_threat_and_every_requirement_names_tests_that_exist() {
    let page = read("docs/security.md");
    let (mut broken, mut requirements) = (Vec::new(), 0);
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let tests = links(cells[cells.len() - 2]);
        let is_requirement = cells[1].starts_with(|c: char| c.is_ascii_digit());
        requirements += usize::from(is_requirement);
        let needs_tests = match is_requirement {
            true => cells[3] == "met" && cells[4].is_empty(),
            false => !["threat", "requirement"].contains(&cells[1]),
        };
        if needs_tests && tests.is_empty() {
            broken.push(format!("{}: no test", cells[1]));
        }
        broken.extend(missing(cells[1], tests));
    }
    assert!(
        requirements > 60,
        "the requirements are read: {requirements}"
    );
    assert_none(broken, "docs/security.md needs a test that exists");
}

/// The tests that a line of a page below `docs/` names and that do not exist.
fn missing(line: &str, tests: Vec<(String, String)>) -> Vec<String> {
    let exists = |name: &str, path: &str| {
        root().join(path).is_file() && read(path).contains(&format!("fn {name}("))
    };
    let mut missing = Vec::new();
    for (name, path) in tests {
        let path = path.trim_start_matches("../");
        if !exists(&name, path) {
            missing.push(format!("{line}: {path}: {name}"));
        }
    }
    missing
}
