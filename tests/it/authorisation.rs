//! Who may do what: real services are held to `tests/authorisation.toml`, which says how a line is written.

pub(crate) mod people;

use events::topology::SERVICES;
use people::People;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use test_support::Stack;

/// The callers, in the order of the columns.
const CALLERS: [&str; 9] = [
    "anonymous",
    "student",
    "other",
    "encadrant",
    "admin",
    "expired",
    "audience",
    "refresh",
    "revoked",
];

/// A line of the file.
struct Line<'a> {
    /// As the documents write it: `GET /comm/api/notifications/{id}`.
    route: &'a str,
    statuses: Vec<u16>,
    body: Option<&'a Value>,
    /// The thing that `{id}` stands for.
    id: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// Reads a line, or says what is wrong with it.
    fn read(route: &'a str, value: &'a Value, ids: &'a Map<String, Value>) -> Result<Self, String> {
        let statuses = value.as_str().or(value["status"].as_str());
        let cells: Vec<&str> = statuses.unwrap_or_default().split_whitespace().collect();
        let statuses: Vec<u16> = cells.iter().filter_map(|cell| cell.parse().ok()).collect();
        if (cells.len(), statuses.len()) != (CALLERS.len(), CALLERS.len()) {
            return Err(format!(
                "{route}: a cell is empty or is no status: {cells:?}"
            ));
        }
        let path = route.split_once(' ').unwrap_or_default().1;
        let of_path = ids.iter().filter(|(start, _)| path.starts_with(*start));
        let longest = of_path.max_by_key(|(start, _)| start.len());
        Ok(Self {
            route,
            statuses,
            body: value.get("body"),
            id: value["id"]
                .as_str()
                .or(longest.and_then(|(_, id)| id.as_str())),
        })
    }

    /// The callers, those first who are refused: what the others do may change what the line is about.
    fn callers(&self) -> impl Iterator<Item = (&'static str, u16)> {
        let mut cells: Vec<_> = CALLERS.into_iter().zip(self.statuses.clone()).collect();
        cells.sort_by_key(|(_, status)| *status < 400);
        cells.into_iter()
    }
}

/// The file, as it is written.
fn table() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/authorisation.toml");
    let text = std::fs::read_to_string(path).expect("the file is there");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The routes of all services, and whether each reads a body.
async fn documented(people: &People<'_>) -> Map<String, Value> {
    let mut routes = Map::new();
    for service in SERVICES {
        let path = format!("/{}/api/docs/openapi.json", service.short);
        let document = people.ask(&Method::GET, &path, None, None).await.body;
        let paths = document["paths"].as_object().expect("paths");
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().expect("methods") {
                let route = format!("{} {path}", method.to_uppercase());
                routes.insert(route, operation["requestBody"].is_object().into());
            }
        }
    }
    routes
}

#[tokio::test]
async fn each_route_answers_each_caller_as_the_table_says() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    let mut people = People::new(&stack).await;
    let (table, documented) = (table(), documented(&people).await);
    let object = |name: &str| table[name].as_object().expect("a section");
    let (routes, ids) = (object("routes"), object("ids"));

    let (known, written): (BTreeSet<_>, BTreeSet<_>) =
        (documented.keys().collect(), routes.keys().collect());
    let missing = known.difference(&written);
    let mut wrong: Vec<_> = missing
        .map(|route| format!("{route}: no line in tests/authorisation.toml"))
        .collect();
    let gone = written.difference(&known);
    wrong.extend(gone.map(|route| format!("{route}: no such route")));

    for (route, value) in routes {
        let Some(reads_body) = documented.get(route) else {
            continue;
        };
        match Line::read(route, value, ids) {
            Ok(line) => wrong.extend(differences(&mut people, &line, *reads_body == true).await),
            Err(error) => wrong.push(error),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lets every caller use the route; returns a sentence for each wrong answer.
async fn differences(people: &mut People<'_>, line: &Line<'_>, reads_body: bool) -> Vec<String> {
    people.log_in_again().await;
    let (method, path) = line.route.split_once(' ').expect("a method and a path");
    let method: Method = method.parse().expect("a method");
    let path = match people.fill(path, line.id).await {
        Ok(path) => path,
        Err(error) => return vec![format!("{}: {error}", line.route)],
    };
    let empty = json!({});
    let body = reads_body.then_some(line.body.unwrap_or(&empty));
    let mut wrong = Vec::new();
    for (caller, status) in line.callers() {
        let token = people.token(caller);
        let response = people.ask(&method, &path, token.as_deref(), body).await;
        let code = match (caller, status) {
            ("anonymous", 401) => Some("NO_TOKEN"),
            ("expired", 401) => Some("TOKEN_EXPIRED"),
            (_, 401) => Some("INVALID_TOKEN"),
            _ => None,
        };
        let is_code = code.is_none_or(|code| response.body["code"] == code);
        if response.status != status || !is_code {
            wrong.push(format!(
                "{}: {caller} gets {} {}, not {status} {}",
                line.route,
                response.status,
                response.body["code"],
                code.unwrap_or_default()
            ));
        }
    }
    wrong
}

#[test]
fn an_empty_cell_is_refused() {
    let ids = Map::new();
    let read = |cells: &str| Line::read("GET /x", &json!(cells), &ids).is_ok();
    assert!(read("401 200 200 200 200 401 401 401 401"));
    for cells in [
        "",
        "401 200 200 200 200 401 401 401",
        "401 200 200 200 ? 401 401 401 401",
        "401 200 200 200 200 401 401 401 401 401",
    ] {
        assert!(!read(cells), "{cells}");
    }
    let table = json!({"status": "401 200 200", "body": {}});
    assert!(Line::read("GET /x", &table, &ids).is_err());
}
