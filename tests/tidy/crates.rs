//! Which crate may use which: `cargo metadata` knows.

use crate::source::{assert_none, containing, root, sources};
use events::topology::SERVICES;
use serde_json::Value;
use std::{process::Command, sync::LazyLock};

/// The crates of this workspace beside the services, each with those it may use. Tests may use `test-support` and
/// `events` besides.
const MAY_USE: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("service-kit", &["events"]),
    ("messaging", &["events", "service-kit"]),
    ("mail", &["events", "service-kit"]),
    ("operator", &["events", "service-kit", "messaging", "mail"]),
    ("launcher", &["events"]),
    ("test-support", &["events"]),
    ("system-tests", &[]),
];
/// What a service may use: never another service.
const SERVICE: &[&str] = &["events", "service-kit", "messaging", "mail"];

/// The libraries that stay in some crates; services may use those that are marked so.
const KEPT: &[(&str, bool, &[&str])] = &[
    (
        "lapin",
        false,
        &["messaging", "test-support", "system-tests"],
    ),
    ("axum", true, &["service-kit"]),
    ("lettre", false, &["mail"]),
    (
        "sqlx",
        true,
        // The launcher: until `prepare` applies the migrations with psql.
        &[
            "service-kit",
            "messaging",
            "mail",
            "operator",
            "test-support",
            "system-tests",
        ],
    ),
];

fn is_service(name: &str) -> bool {
    SERVICES.iter().any(|service| service.name == name)
}

/// The crates that a crate may use; none for a crate that has no rule.
fn allowed(name: &str) -> Option<&'static [&'static str]> {
    let rule = MAY_USE.iter().find(|(of, _)| *of == name);
    rule.map(|(_, allowed)| *allowed)
        .or(is_service(name).then_some(SERVICE))
}

/// A crate of this workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its directory, from the root.
    pub(crate) dir: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) requirement: String,
    pub(crate) is_path: bool,
    pub(crate) for_tests: bool,
}

/// What `cargo metadata` says about the workspace and all that it is built from.
pub(crate) static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = cargo(
        &["metadata", "--format-version", "1"],
        ["--filter-platform", &platform],
    );
    serde_json::from_str(&output).expect("cargo prints JSON")
});

/// Runs a command of cargo that only reads, and returns what it printed.
pub(crate) fn cargo<'a>(command: &[&str], arguments: impl IntoIterator<Item = &'a str>) -> String {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(command)
        .args(["--offline", "--locked"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs the tests, so it can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {command:?}: {errors}");
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// The crates of this workspace.
pub(crate) fn workspace() -> Vec<Package> {
    let root = root().canonicalize().expect("the root is there");
    let mut packages = Vec::new();
    for package in METADATA["packages"].as_array().expect("a list") {
        if !package["source"].is_null() {
            continue;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let manifest = text(&package["manifest_path"]);
        let dir = manifest
            .strip_prefix(&format!("{}/", root.display()))
            .and_then(|path| path.strip_suffix("/Cargo.toml"))
            .expect("it lies below the root");
        let dependencies = package["dependencies"].as_array().expect("a list");
        let dependencies = dependencies.iter().map(|dependency| Dependency {
            name: text(&dependency["name"]),
            requirement: text(&dependency["req"]),
            is_path: dependency["path"].is_string(),
            for_tests: dependency["kind"] == "dev",
        });
        packages.push(Package {
            name: text(&package["name"]),
            dir: dir.to_owned(),
            dependencies: dependencies.collect(),
        });
    }
    packages
}

#[test]
fn crates_depend_in_one_direction() {
    let mut broken = Vec::new();
    for package in workspace() {
        let Some(allowed_here) = allowed(&package.name) else {
            broken.push(format!("{}: a crate without a rule", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let in_tests = dependency.for_tests && ["test-support", "events"].contains(&name);
            if allowed(name).is_some() && !allowed_here.contains(&name) && !in_tests {
                broken.push(format!("{}: {name}", package.name));
            }
        }
    }
    assert_none(
        broken,
        "a crate uses one that it must not know; what two services share is an event",
    );
}

#[test]
fn crates_know_no_more_of_each_other_than_they_need() {
    let kit = sources(&["crates/service-kit/src"], ".rs");
    let events = [
        "events::auth",
        "events::profile",
        "events::Envelope",
        "events::Event;",
        "events::topology",
    ];
    assert_none(
        containing(&kit, &events),
        "service-kit knows ids and Role, no event",
    );
    let messaging = sources(&["crates/messaging/src"], ".rs");
    assert_none(
        containing(&messaging, &["service_kit::http"]),
        "messaging does not use HTTP",
    );
    let mail = sources(&["crates/mail/src"], ".rs");
    assert_none(
        containing(&mail, &["service_kit::http"]),
        "mail does not use HTTP",
    );
}

#[test]
fn big_libraries_stay_in_their_rooms() {
    let mut broken = Vec::new();
    for package in workspace() {
        for (library, in_services, rooms) in KEPT {
            let uses = package
                .dependencies
                .iter()
                .any(|used| used.name == *library);
            let may = rooms.contains(&package.name.as_str())
                || (*in_services && is_service(&package.name));
            if uses && !may {
                broken.push(format!("{}: {library}", package.name));
            }
        }
        let is_io = |name: &str| ["sqlx", "lapin", "axum", "tokio", "reqwest"].contains(&name);
        if package.name == "events" {
            let io = package.dependencies.iter().filter(|used| is_io(&used.name));
            broken.extend(io.map(|used| format!("events: {}", used.name)));
        }
    }
    assert_none(
        broken,
        "use messaging for AMQP, mail for mails and service-kit for HTTP; events does no I/O; the launcher holds no SQL",
    );
}
