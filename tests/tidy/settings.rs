//! `.env.example` names the settings of the services and of docker-compose, with their defaults.

use crate::source::{assert_none, read, word};
use events::topology::SERVICES;
use std::{collections::BTreeMap, path::Path, process::Command};

fn is_variable(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The variables of `.env.example`, commented-out ones too: `NAME=value` or `# NAME=value`.
fn documented_variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines() {
        let setting = line
            .trim_start_matches("# ")
            .split_once('=')
            .map(|(name, _)| name);
        match setting.filter(|name| is_variable(name)) {
            Some(name) => names.push(name.to_owned()),
            None => assert!(
                line.is_empty() || line.starts_with('#'),
                ".env.example: not a setting: {line}"
            ),
        }
    }
    names
}

/// The variables of the compose files with their defaults, `${NAME:-default}`; the first file's defaults count.
fn composed_variables() -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for file in ["docker-compose.yml", "docker-compose.production.yml"] {
        for reference in read(file).split("${").skip(1) {
            let reference = reference.split('}').next().unwrap_or_default();
            let (name, default) = reference
                .split_once(":-")
                .filter(|(name, _)| is_variable(name))
                .unwrap_or_else(|| panic!("{file}: ${{{reference}}} has no literal default"));
            variables
                .entry(name.to_owned())
                .or_insert(default.to_owned());
        }
    }
    variables
}

#[test]
fn each_variable_of_docker_compose_is_explained() {
    let example = read(".env.example");
    let documented = documented_variables(&example);
    let composed = composed_variables();
    assert!(composed.contains_key("RABBITMQ_PASSWORD"), "{composed:?}");
    let missing = composed
        .keys()
        .filter(|name| !documented.contains(name))
        .cloned()
        .collect();
    assert_none(missing, ".env.example lacks what docker-compose reads");
    let differs = |(name, default): &(&String, &String)| {
        let line = example
            .lines()
            .find(|line| line.starts_with(&format!("{name}=")));
        line.is_some_and(|line| line != format!("{name}={default}"))
    };
    let wrong = composed
        .iter()
        .filter(differs)
        .map(|(name, _)| name.clone())
        .collect();
    assert_none(
        wrong,
        ".env.example has another default than docker-compose",
    );
}

#[test]
fn each_variable_of_the_example_is_read() {
    let dir = std::env::var("MEDTRACK_TEST_BIN_DIR")
        .expect("MEDTRACK_TEST_BIN_DIR is not set; run the tests with ./medtrack test");
    let mut help = String::new();
    for service in SERVICES.map(|service| service.name) {
        for role in ["serve", "consume-events", "migrate"] {
            let output = Command::new(Path::new(&dir).join(service))
                .args([role, "--help"])
                .output();
            let output = output.unwrap_or_else(|error| panic!("{service}: {error}"));
            assert!(output.status.success(), "{service} {role} --help");
            help += &String::from_utf8_lossy(&output.stdout);
        }
    }
    let documented = documented_variables(&read(".env.example"));
    assert!(
        documented.iter().any(|name| name == "AMQP_URL"),
        "{documented:?}"
    );
    let composed = composed_variables();
    let is_named =
        |name: &str| composed.contains_key(name) || help.contains(&format!("[env: {name}"));
    let unknown: Vec<_> = documented
        .iter()
        .filter(|name| !is_named(name))
        .cloned()
        .collect();
    assert_none(
        unknown,
        ".env.example names what neither --help nor docker-compose knows",
    );
    let mut missing: Vec<_> = help
        .split("[env: ")
        .skip(1)
        .map(word)
        .filter(|name| !documented.contains(name))
        .collect();
    missing.sort();
    missing.dedup();
    assert_none(missing, ".env.example lacks what --help names");
}
