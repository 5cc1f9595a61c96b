//! What runs the services names every service, and nothing that is not there.

use crate::source::{assert_none, read, sources};
use events::topology::{SERVICES, Service};
use std::collections::BTreeSet;

/// Containers that are no process of a service.
const OTHERS: [&str; 7] = [
    "postgres",
    "logins",
    "rabbitmq",
    "gateway",
    "prometheus",
    "grafana",
    "operator",
];

/// The keys of one section of a YAML file that is indented by two spaces.
fn keys(text: &str, section: &str) -> BTreeSet<String> {
    let (_, rest) = text
        .split_once(&format!("\n{section}:\n"))
        .unwrap_or_else(|| panic!("no section {section}"));
    let lines = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with(' ') || line.starts_with('#'));
    lines
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':'))
        .map(|(key, _)| key.to_owned())
        .collect()
}

/// The containers that run a service.
fn containers(service: &Service) -> [String; 3] {
    [
        format!("{}-migrate", service.short),
        service.name.to_owned(),
        format!("{}-consumer", service.name),
    ]
}

/// More consumers of a service, in the profile `scale`.
fn extra(service: &Service) -> String {
    format!("{}-extra", service.short)
}

/// The `texts` that a file lacks.
fn missing(file: &str, texts: &[String]) -> Vec<String> {
    let content = read(file);
    let absent = texts.iter().filter(|text| !content.contains(*text));
    absent.map(|text| format!("{file}: {text}")).collect()
}

#[test]
fn docker_compose_runs_every_service() {
    let mut broken = Vec::new();
    let extras: Vec<String> = SERVICES.iter().map(|service| extra(service)).collect();
    for file in ["docker-compose.yml", "docker-compose.production.yml"] {
        let named = keys(&read(file), "services");
        let needed: Vec<String> = SERVICES
            .iter()
            .flat_map(|service| containers(service))
            .collect();
        let absent = needed.iter().filter(|name| !named.contains(*name));
        broken.extend(absent.map(|name| format!("{file}: {name} is missing")));
        let unknown = named.iter().filter(|name| {
            !needed.contains(name) && !extras.contains(name) && !OTHERS.contains(&name.as_str())
        });
        broken.extend(unknown.map(|name| format!("{file}: {name} is unknown")));
    }
    assert_none(broken, "the list of services is events::topology::SERVICES");
}

#[test]
fn each_service_is_deployed_under_its_names() {
    let mut broken = Vec::new();
    for service in SERVICES {
        let Service {
            short,
            name,
            database,
            role,
            ..
        } = service;
        let upper = short.to_uppercase();
        broken.extend(missing(
            "docker-compose.yml",
            &[
                format!("x-{short}: &{short}\n"),
                format!(
                    "postgres://{role}:${{{upper}_DB_PASSWORD:-{short}}}@postgres:5432/{database}"
                ),
                format!("{upper}_DB_PASSWORD: ${{{upper}_DB_PASSWORD:-{short}}}"),
                format!("command: [{name}, migrate]"),
                format!("command: [{name}, serve]"),
                format!("command: [{name}, consume-events]"),
                format!("{upper}_OPERATOR_DATABASE_URL: postgres://operator:"),
                format!("{upper}_INTERNAL_URL: http://{name}:9000"),
                format!("{upper}_CONSUMER_INTERNAL_URL: http://{name}-consumer:9000"),
            ],
        ));
        broken.extend(missing(
            "docker-compose.production.yml",
            &[
                format!("DATABASE_URL_FILE: /run/secrets/{short}_database_url"),
                format!("AMQP_URL_FILE: /run/secrets/{short}_amqp_url"),
                format!("{upper}_DB_PASSWORD:\n"),
                format!("{upper}_DB_PASSWORD_FILE: /run/secrets/{short}_db_password"),
                format!("{upper}_OPERATOR_DATABASE_URL:\n"),
                format!(
                    "{upper}_OPERATOR_DATABASE_URL_FILE: /run/secrets/{short}_operator_database_url"
                ),
                format!("- {short}_operator_database_url\n"),
                format!("  {short}_operator_database_url: {{file:"),
                format!("  {short}_database_url: {{file:"),
                format!("  {short}_amqp_url: {{file:"),
                format!("  {short}_db_password: {{file:"),
            ],
        ));
        broken.extend(missing(
            "deploy/routes.caddy",
            &[
                format!("@{short} path /{short} /{short}/*\nhandle @{short} {{\n"),
                format!("reverse_proxy {{${upper}_UPSTREAM:{name}:8000}}"),
            ],
        ));
        broken.extend(missing(
            "deploy/prometheus/prometheus.yml",
            &[format!("- {name}\n"), format!("- {name}-consumer\n")],
        ));
        broken.extend(missing(
            "deploy/prometheus/alerts.yml",
            &[format!("\"unit\", \"{name}-consumer\"")],
        ));
        broken.extend(missing(
            "crates/service-kit/src/config.rs",
            &[format!("\"{short}\"")],
        ));
        let builds = format!("-p {name}");
        let twice = read("Dockerfile").matches(&builds).count() == 2;
        broken.extend((!twice).then(|| format!("Dockerfile: twice {builds}")));
        broken.extend(missing("Dockerfile", &[format!("-o /out/{name} {name}")]));
        broken.extend(missing(
            ".env.example",
            &[format!("{upper}_DB_PASSWORD={short}")],
        ));
    }
    assert_none(
        broken,
        "a service is not deployed under the names that derive from its short name",
    );
}

/// The words of the one line of a file that begins with `start`.
fn words_of_line(file: &str, start: &str) -> Vec<String> {
    let text = read(file);
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(start));
    let line = line.unwrap_or_else(|| panic!("{file}: no line begins with {start}"));
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    words.map(str::to_owned).collect()
}

#[test]
fn lists_of_services_name_each_service() {
    let logins = words_of_line("deploy/postgres/logins.sh", "for service in");
    let secrets = words_of_line(
        "docker-compose.production.yml",
        "secrets: [postgres_password,",
    );
    let compose = read("docker-compose.yml");
    let (_, gateway) = compose
        .split_once("\n  gateway:\n")
        .expect("there is a gateway");
    let gateway = gateway.split("\n\n").next().unwrap_or_default();
    let routes = read("deploy/routes.caddy");
    let page = read("web/start/index.html");
    let mut broken = Vec::new();
    for Service { short, name, .. } in SERVICES {
        let places = [
            (
                logins.contains(&(*short).to_owned()),
                "logins.sh: for service in",
            ),
            (
                secrets.contains(&format!("{short}_db_password")),
                "docker-compose.production.yml: the secrets of logins",
            ),
            (
                gateway.contains(&format!("{name}: {{condition: service_healthy}}")),
                "docker-compose.yml: what the gateway depends on",
            ),
            (
                routes.lines().any(|line| {
                    line.contains("the services are at") && line.contains(&format!("/{short}"))
                }),
                "routes.caddy: the sentence of the answer 404",
            ),
            (
                routes.lines().any(|line| {
                    line.contains("request>uri") && line.contains(&format!("/{short}|"))
                }),
                "routes.caddy: the paths in the log",
            ),
            (
                page.contains(&format!("<tr data-service=\"{short}\">")),
                "web/start/index.html: the table",
            ),
        ];
        let absent = places.iter().filter(|(is_there, _)| !is_there);
        broken.extend(absent.map(|(_, place)| format!("{place}: {short}")));
    }
    assert_none(broken, "a list of all services lacks one");
}

#[test]
fn what_is_watched_and_routed_is_known() {
    let mut broken = Vec::new();
    let processes: Vec<String> = SERVICES
        .iter()
        .flat_map(|service| {
            [
                service.name.to_owned(),
                format!("{}-consumer", service.name),
                extra(service),
            ]
        })
        .collect();
    let prometheus = read("deploy/prometheus/prometheus.yml");
    for line in prometheus.lines() {
        if let Some(unit) = line
            .trim()
            .strip_prefix("- ")
            .filter(|item| !item.contains(':'))
            && !processes.iter().any(|known| known == unit)
        {
            broken.push(format!("prometheus.yml: {unit}"));
        }
    }
    for line in read("deploy/routes.caddy").lines() {
        if let Some((matcher, path)) = line.strip_prefix('@').and_then(|line| line.split_once(' '))
            && path.starts_with("path ")
            && !SERVICES.iter().any(|service| service.short == matcher)
        {
            broken.push(format!("routes.caddy: @{matcher}"));
        }
    }
    assert_none(
        broken,
        "no service of events::topology::SERVICES has this name",
    );
}

/// The names in a text that begin with `medtrack_`, without what a histogram adds.
fn metrics(text: &str) -> BTreeSet<String> {
    let names = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let ours = names.filter(|name| name.starts_with("medtrack_"));
    ours.map(|name| {
        let plain = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        plain.unwrap_or(name).to_owned()
    })
    .collect()
}

#[test]
fn every_metric_that_is_watched_is_exported() {
    let mut exported = BTreeSet::new();
    for file in sources(&["crates", "services"], ".rs") {
        if !file.path.contains("/tests/") && !file.is_in(&["crates/test-support/"]) {
            exported.extend(metrics(&file.code()));
        }
    }
    let mut broken = Vec::new();
    for file in [
        "deploy/grafana/medtrack.json",
        "deploy/prometheus/alerts.yml",
    ] {
        let watched = metrics(&read(file));
        assert!(watched.len() >= 4, "{file} names metrics: {watched:?}");
        let unknown = watched.difference(&exported);
        broken.extend(unknown.map(|name| format!("{file}: {name}")));
    }
    assert_none(broken, "no process exports this metric");
}

#[test]
fn images_are_pinned_to_a_minor_version() {
    let mut broken = Vec::new();
    for file in [
        "docker-compose.yml",
        "docker-compose.production.yml",
        "Dockerfile",
    ] {
        for line in read(file).lines() {
            let image = line
                .trim()
                .strip_prefix("image: ")
                .or(line.strip_prefix("FROM "));
            let Some((name, tag)) = image.and_then(|image| image.split_once(':')) else {
                continue;
            };
            let version = tag.split(['-', ' ']).next().unwrap_or_default();
            if !name.contains('$') && !version.contains('.') {
                broken.push(format!("{file}: {name}:{tag}"));
            }
        }
    }
    assert_none(broken, "name the minor version, such as postgres:17.6");
}
