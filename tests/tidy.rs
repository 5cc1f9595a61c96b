//! The house rules of ARCHITECTURE.md, kept by reading the source. Each message says what to do instead.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Files that may have more than 400 lines, and why.
const LONG: &[(&str, &str)] = &[
    (
        "crates/messaging/src/consumer.rs",
        "to be divided along its tasks",
    ),
    (
        "crates/messaging/src/dispatch.rs",
        "to be divided along its tasks",
    ),
    (
        "crates/messaging/src/relay.rs",
        "to be divided along its tasks",
    ),
    (
        "crates/messaging/tests/it/consuming.rs",
        "to be divided along its tasks",
    ),
    (
        "crates/operator/src/cli/dead.rs",
        "to be divided along its tasks",
    ),
    (
        "crates/operator/src/cli/doctor.rs",
        "to be divided along its tasks",
    ),
    (
        "services/auth/tests/it/accounts.rs",
        "to be divided along its tasks",
    ),
    ("tests/chain.rs", "to be divided along its tasks"),
    ("tests/operator.rs", "to be divided along its tasks"),
    ("tests/tidy.rs", "to be divided along its tasks"),
];
const MAX_LINES: usize = 400;

/// A file of the workspace.
struct Source {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The text up to the unit tests at its end, without comments.
    fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines
            .map(|line| line.split(" // ").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// The room of a service, such as `store` for `services/auth/src/store/users.rs`.
    fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("services/")?.split_once("/src/")?.1;
        rest.split(['/', '.']).next()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace")
        .to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files with this ending under these places.
fn sources(places: &[&str], ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
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
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "nothing to check in {places:?}");
    found
}

/// The source of the system: no tests, nothing that only tests use.
fn system() -> Vec<Source> {
    let mut files = sources(&["crates", "services"], ".rs");
    files.retain(|file| !file.path.contains("/tests/") && !file.is_in(&["crates/test-support/"]));
    files
}

fn services() -> Vec<Source> {
    sources(&["services"], ".rs")
        .into_iter()
        .filter(|file| file.room().is_some())
        .collect()
}

/// The names of a manifest's dependencies; with `dev`, those of its tests too.
fn dependencies(manifest: &str, dev: bool) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section == "dependencies]" || (dev && section == "dev-dependencies]");
        } else if inside && let Some((name, _)) = line.split_once(['.', '=']) {
            names.push(name.trim().to_owned());
        }
    }
    names
}

/// The rooms of its own crate that a file names: `store` and `domain` in `use crate::{domain::Person, store};`.
fn rooms_used(code: &str) -> Vec<String> {
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

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

fn assert_none(broken: Vec<String>, advice: &str) {
    assert!(broken.is_empty(), "{advice}:\n  {}", broken.join("\n  "));
}

/// The files among `files` whose code contains any of `texts`.
fn containing(files: &[Source], texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let code = file.code();
        found.extend(
            texts
                .iter()
                .filter(|text| code.contains(**text))
                .map(|text| format!("{}: {text}", file.path)),
        );
    }
    found
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

#[test]
fn crates_depend_in_one_direction() {
    const OURS: [&str; 6] = [
        "events",
        "messaging",
        "service-kit",
        "auth-service",
        "profile-service",
        "comm-service",
    ];
    let rules: [(&str, &[&str]); 6] = [
        ("crates/events", &[]),
        ("crates/messaging", &["events"]),
        ("crates/service-kit", &["events"]),
        ("services/auth", &["events", "messaging", "service-kit"]),
        ("services/profile", &["events", "messaging", "service-kit"]),
        ("services/comm", &["events", "messaging", "service-kit"]),
    ];
    let mut broken = Vec::new();
    for (place, allowed) in rules {
        let used = dependencies(&read(format!("{place}/Cargo.toml")), false);
        let wrong = used
            .iter()
            .filter(|name| OURS.contains(&name.as_str()) && !allowed.contains(&name.as_str()));
        broken.extend(wrong.map(|name| format!("{place}: {name}")));
        broken.extend(
            used.contains(&"test-support".to_owned())
                .then(|| format!("{place}: test-support")),
        );
    }
    assert_none(
        broken,
        "a crate imports one that it must not know; what two services share is an event",
    );
    let kit: Vec<Source> = sources(&["crates/service-kit/src"], ".rs");
    let words = [
        "events::auth",
        "events::profile",
        "events::Envelope",
        "events::Event;",
        "events::topology",
    ];
    assert_none(
        containing(&kit, &words),
        "service-kit knows ids and Role, no event",
    );
}

#[test]
fn big_libraries_stay_in_their_rooms() {
    let rules: [(&str, &[&str]); 2] = [
        (
            "lapin",
            &["crates/messaging", "crates/test-support", "tests/"],
        ),
        ("axum", &["crates/service-kit", "services/"]),
    ];
    let mut broken = Vec::new();
    for manifest in sources(&["crates", "services", "tests"], "Cargo.toml") {
        for (library, rooms) in rules {
            if dependencies(&manifest.text, true)
                .iter()
                .any(|name| name == library)
                && !manifest.is_in(rooms)
            {
                broken.push(format!("{}: {library}", manifest.path));
            }
        }
    }
    assert_none(broken, "use messaging for AMQP and service-kit for HTTP");
    let pure = dependencies(&read("crates/events/Cargo.toml"), true);
    let io = ["sqlx", "lapin", "axum", "tokio", "reqwest"];
    let broken = pure
        .into_iter()
        .filter(|name| io.contains(&name.as_str()))
        .collect();
    assert_none(broken, "events is pure: no I/O, no runtime");
}

#[test]
fn rooms_of_a_service_are_entered_in_one_direction() {
    let mut broken = Vec::new();
    for file in services() {
        let allowed: &[&str] = match file.room() {
            Some("domain") => &["domain"],
            Some("store") => &["store", "domain"],
            Some("actions") => &["actions", "store", "domain"],
            Some("consumer") => &["consumer", "actions", "domain"],
            _ => continue,
        };
        let code = file.code();
        let rooms = [
            "http", "consumer", "commands", "actions", "store", "domain", "config",
        ];
        broken.extend(
            rooms_used(&code)
                .into_iter()
                .filter(|room| rooms.contains(&room.as_str()) && !allowed.contains(&room.as_str()))
                .map(|room| format!("{}: {room}", file.path)),
        );
    }
    assert_none(broken, "domain ← store ← actions ← doors");
}

#[test]
fn sql_stands_in_store_only() {
    let files: Vec<_> = services()
        .into_iter()
        .filter(|file| file.room() != Some("store"))
        .collect();
    assert_none(
        containing(
            &files,
            &["sqlx::query", "query!(", "query_as!(", "query_scalar!("],
        ),
        "SQL belongs into store/",
    );
    assert_none(
        containing(
            &sources(&["crates/service-kit/src", "crates/events/src"], ".rs"),
            &["sqlx::query"],
        ),
        "SQL belongs into a service's store/",
    );
}

#[test]
fn doors_open_and_commit_and_answer() {
    let inside: Vec<_> = services()
        .into_iter()
        .filter(|file| {
            matches!(
                file.room(),
                Some("domain" | "store" | "actions" | "consumer")
            )
        })
        .collect();
    assert_none(
        containing(&inside, &[".begin(", ".commit("]),
        "actions borrow the transaction of their door",
    );
    let outside: Vec<_> = services()
        .into_iter()
        .filter(|file| file.room() != Some("http"))
        .collect();
    assert_none(
        containing(&outside, &["StatusCode", "axum::"]),
        "status codes belong into http/",
    );
}

#[test]
fn names_of_the_wire_stand_in_events_only() {
    let mut names = Vec::new();
    for file in sources(&["crates/events/src"], ".rs") {
        let code = file.code();
        let literal = |line: &str| line.split('"').nth(1).map(str::to_owned);
        names.extend(
            code.lines()
                .filter(|line| line.contains("const KEY: &'static str ="))
                .filter_map(literal),
        );
        if file.path.ends_with("topology.rs") {
            let texts = code.split('"').skip(1).step_by(2);
            names.extend(texts.filter(|text| text.contains('.')).map(str::to_owned));
        }
    }
    names.sort();
    names.dedup();
    assert!(
        names.iter().any(|name| name == "auth.user.created")
            && names.iter().any(|name| name == "events.topic")
    );
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let quoted: Vec<&str> = quoted.iter().map(String::as_str).collect();
    let files: Vec<_> = system()
        .into_iter()
        .filter(|file| !file.is_in(&["crates/events/"]))
        .collect();
    assert_none(
        containing(&files, &quoted),
        "name it by events' constant, such as StudentCreated::KEY",
    );
}

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

#[test]
fn no_room_is_called_common() {
    let mut broken = Vec::new();
    for file in sources(&["crates", "services"], ".rs") {
        let mut parts = file.path.split(['/', '.']);
        if parts.any(|part| ["common", "core", "utils", "util", "helpers", "misc"].contains(&part))
        {
            broken.push(file.path.clone());
        }
    }
    assert_none(broken, "name the room after what it is for");
}

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
fn each_variable_of_the_example_is_known() {
    let dir = std::env::var("MEDTRACK_TEST_BIN_DIR")
        .expect("MEDTRACK_TEST_BIN_DIR is not set; run the tests with ./medtrack test");
    let mut help = String::new();
    for service in ["auth-service", "profile-service", "comm-service"] {
        for role in ["serve", "consume-events", "migrate"] {
            let told = Command::new(Path::new(&dir).join(service))
                .args([role, "--help"])
                .output();
            let told = told.unwrap_or_else(|error| panic!("{service}: {error}"));
            assert!(told.status.success(), "{service} {role} --help");
            help += &String::from_utf8_lossy(&told.stdout);
        }
    }
    let documented = documented_variables(&read(".env.example"));
    assert!(
        documented.iter().any(|name| name == "AMQP_URL"),
        "{documented:?}"
    );
    let composed = composed_variables();
    let known = |name: &str| composed.contains_key(name) || help.contains(&format!("[env: {name}"));
    let unknown: Vec<_> = documented
        .iter()
        .filter(|name| !known(name))
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
