//! Holds a service to its OpenAPI document.

mod examples;

use crate::{Client, User};
use events::topology::SERVICES;
use reqwest::{Method, header};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, path::Path, sync::LazyLock};

/// A field that no body has.
const STRANGE: &str = "no_such_field";

/// Compares a service with its document: the committed file is current, the page shows it, what needs a token is
/// refused without one, and bodies are read as they are described.
///
/// # Panics
/// When they differ.
pub async fn assert_described(client: &Client, user: &User, dir: &str, document: &Value) {
    assert!(
        committed(dir) == *document,
        "docs/openapi is stale; try: ./medtrack prepare"
    );

    let served = client
        .get(&format!("/{dir}/api/docs/openapi.json"), user)
        .await;
    assert_eq!(served.body, *document);
    assert_page(&client.url(&format!("/{dir}/api/docs"))).await;

    assert_refers(document, document);
    assert_eq!(document["servers"][0]["url"], "/");
    examples::assert_examples(client, user, document).await;
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path = path.replace("{id}", &uuid::Uuid::nil().to_string());
        let path = path.replace("{user_id}", &user.user_id.to_string());
        for (method, operation) in methods.as_object().expect("methods") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let anonymous = client
                .ask(method.clone(), &path, None, None)
                .await
                .expect("an answer");
            assert_eq!(
                anonymous.status == 401,
                operation["security"].is_array(),
                "{method} {path}: {}",
                anonymous.body
            );
            if let Some(schema) =
                operation.pointer("/requestBody/content/application~1json/schema/$ref")
            {
                let schema = schema
                    .as_str()
                    .expect("a reference")
                    .trim_start_matches('#');
                let schema = document.pointer(schema).expect("what is referred to");
                let route = Route {
                    client,
                    user,
                    method: &method,
                    path: &path,
                };
                route.assert_body(schema).await;
                route.assert_limits_of_body(schema).await;
                route.assert_values_of_body(schema).await;
            }
            let parameters = operation["parameters"].as_array();
            for parameter in parameters.into_iter().flatten() {
                assert_limits_of_parameter(client, user, &path, parameter).await;
            }
            operations += 1;
        }
    }
    assert!(operations > 0, "something is described");
}

/// A route that reads a body, and a user who may use it.
struct Route<'a> {
    client: &'a Client,
    user: &'a User,
    method: &'a Method,
    path: &'a str,
}

impl Route<'_> {
    /// Sends a body with a field that does not exist, so that nothing is changed; returns the refused fields.
    async fn refused(&self, mut body: Map<String, Value>) -> BTreeSet<String> {
        body.insert(STRANGE.into(), true.into());
        let (method, path) = (self.method, self.path);
        let response = self
            .client
            .ask(
                method.clone(),
                path,
                Some(&self.user.token),
                Some(&Value::Object(body)),
            )
            .await
            .expect("an answer");
        assert_eq!(response.status, 400, "{method} {path}: {}", response.body);
        let errors = response.body["errors"].as_object().expect("errors");
        errors.keys().cloned().collect()
    }

    /// Compares which fields are required, accepted, or may be null.
    async fn assert_body(&self, schema: &Value) {
        let route = format!("{} {}", self.method, self.path);
        let only_strange = BTreeSet::from([STRANGE.to_owned()]);
        let examples = body_of(schema, |property| property["examples"][0].clone());
        assert_eq!(self.refused(examples).await, only_strange, "{route}");
        let nulls = body_of(schema, |property| {
            let types = property["type"].as_array();
            if types.is_some_and(|types| types.contains(&Value::from("null"))) {
                Value::Null
            } else {
                property["examples"][0].clone()
            }
        });
        assert_eq!(
            self.refused(nulls).await,
            only_strange,
            "{route}, with null"
        );

        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let missing = required
            .iter()
            .map(|name| name.as_str().expect("a name").to_owned());
        let missing: BTreeSet<_> = missing.chain(only_strange).collect();
        assert_eq!(self.refused(Map::new()).await, missing, "{route}");
    }

    /// Tries each limit of a text and of a number: one below, at, and one above it.
    async fn assert_limits_of_body(&self, schema: &Value) {
        for (name, property) in schema["properties"].as_object().expect("properties") {
            let limit = |limit: &str| property[limit].as_i64();
            for (length, accepted) in around(limit("minLength"), limit("maxLength")) {
                let text = text_of(property, usize::try_from(length).expect("a length"));
                self.assert_value(schema, name, text.into(), accepted).await;
            }
            for (number, accepted) in around(limit("minimum"), limit("maximum")) {
                self.assert_value(schema, name, number.into(), accepted)
                    .await;
            }
        }
    }

    /// Sends a value of a field beside the examples of the others.
    async fn assert_value(&self, schema: &Value, name: &str, value: Value, accepted: bool) {
        let mut body = body_of(schema, |property| property["examples"][0].clone());
        body.insert(name.to_owned(), value.clone());
        let is_refused = self.refused(body).await.contains(name);
        let (method, path) = (self.method, self.path);
        assert_eq!(!is_refused, accepted, "{method} {path}: {name} = {value}");
    }
}

/// One below, at, and one above each limit, with whether it is accepted.
fn around(least: Option<i64>, most: Option<i64>) -> impl Iterator<Item = (i64, bool)> {
    let least = least.map(|limit| [(limit - 1, false), (limit, true), (limit + 1, true)]);
    let most = most.map(|limit| [(limit - 1, true), (limit, true), (limit + 1, false)]);
    least.into_iter().chain(most).flatten()
}

impl Route<'_> {
    /// Sends each value of a field that has a list of them, and one that is not in the list.
    async fn assert_values_of_body(&self, schema: &Value) {
        for (name, property) in schema["properties"].as_object().expect("properties") {
            let Some(values) = property["enum"].as_array() else {
                continue;
            };
            let no_value = Value::from("no-such-value");
            for value in values.iter().chain([&no_value]) {
                let mut body = body_of(schema, |property| property["examples"][0].clone());
                body.insert(name.clone(), value.clone());
                let is_refused = self.refused(body).await.contains(name);
                assert_eq!(is_refused, *value == no_value, "{name}: {value}");
            }
        }
    }
}

/// A body with one value for each property.
fn body_of(schema: &Value, value: impl Fn(&Value) -> Value) -> Map<String, Value> {
    let properties = schema["properties"].as_object().expect("properties").iter();
    properties
        .map(|(name, property)| (name.clone(), value(property)))
        .collect()
}

/// A text of this length that is otherwise valid.
fn text_of(property: &Value, length: usize) -> String {
    let repeated = |text: &str| text.chars().cycle().take(length).collect::<String>();
    match property["format"].as_str() {
        Some("email") => {
            // Labels of 49 characters: a label may have 63.
            let rest = length - "a@.com".len();
            let label = |i: usize| {
                if i % 50 == 49 && i + 1 < rest {
                    '.'
                } else {
                    'x'
                }
            };
            format!("a@{}.com", (0..rest).map(label).collect::<String>())
        }
        // Not words, because an easy password is refused whatever its length.
        Some("password") => repeated("k7Qz9wXv3mPbL2sRd8TgY5hN"),
        _ => repeated(property["examples"][0].as_str().expect("an example")),
    }
}

/// Tries each limit of a number in a query: one below, at, and one above it.
async fn assert_limits_of_parameter(client: &Client, user: &User, path: &str, parameter: &Value) {
    let name = parameter["name"].as_str().expect("a name");
    let limit = |limit: &str| parameter["schema"][limit].as_i64();
    for (value, accepted) in around(limit("minimum"), limit("maximum")) {
        let response = client.get(&format!("{path}?{name}={value}"), user).await;
        let expected = if accepted { 200 } else { 400 };
        assert_eq!(response.status, expected, "{path}: {name}={value}");
        assert_eq!(response.body["errors"][name].is_array(), !accepted);
    }
}

/// The committed document of a service; `null` when there is none.
fn committed(dir: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../docs/openapi/{dir}-service.json"));
    std::fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// Compares the code of a problem with the committed document: the route describes it for this status. Addresses
/// without a route are not described.
///
/// # Panics
/// When the document does not describe it.
pub(crate) fn assert_code_described(method: &Method, path: &str, status: u16, body: &Value) {
    static DOCUMENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let services = SERVICES.iter();
        services.map(|service| committed(service.short)).collect()
    });
    let Some(code) = body["code"].as_str().filter(|_| status >= 400) else {
        return;
    };
    let path = path.split('?').next().unwrap_or_default();
    let operation = DOCUMENTS.iter().find_map(|document| {
        let routes = document["paths"].as_object()?;
        let literal = routes.get(path.trim_end_matches('/'));
        let route = literal.or_else(|| {
            let mut routes = routes.iter();
            routes.find_map(|(template, route)| matches(template, path).then_some(route))
        });
        route?.get(method.as_str().to_lowercase())
    });
    let Some(operation) = operation else { return };
    let pointer = "/content/application~1problem+json/schema/allOf/1/properties/code/enum";
    let codes = operation["responses"][status.to_string()].pointer(pointer);
    let described = codes.and_then(Value::as_array);
    assert!(
        described.is_some_and(|codes| codes.contains(&Value::from(code))),
        "{method} {path} answers {status} {code}, which docs/openapi does not describe"
    );
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.trim_end_matches('/').split('/'));
    template.clone().count() == path.clone().count()
        && template
            .zip(path)
            .all(|(part, actual)| part.starts_with('{') || part == actual)
}

/// Nothing refers to what is not there.
fn assert_refers(document: &Value, part: &Value) {
    let parts: Vec<&Value> = match part {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    parts
        .into_iter()
        .for_each(|part| assert_refers(document, part));
    if let Some(target) = part["$ref"].as_str() {
        assert!(
            document.pointer(target.trim_start_matches('#')).is_some(),
            "nothing is at {target}"
        );
    }
}

/// The page comes with what it needs, and may load nothing from elsewhere.
async fn assert_page(url: &str) {
    let page = reqwest::get(url).await.expect("an answer");
    assert!(
        page.url().path().ends_with("/docs/index.html"),
        "{}",
        page.url()
    );
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(policy.contains("script-src 'self';"), "{policy}");
    let url = page.url().clone();
    let page = page.text().await.expect("a text");
    assert!(
        page.contains("<title>MedTrack "),
        "the title names the service"
    );
    let script = "swagger-initializer.js";
    assert!(page.contains(script), "{page}");
    let script = reqwest::get(url.join(script).expect("an address"))
        .await
        .expect("an answer");
    assert!(
        script
            .text()
            .await
            .expect("a text")
            .contains("openapi.json"),
        "the page shows the document"
    );
    let missing = reqwest::get(url.join("nothing.js").expect("an address"))
        .await
        .expect("an answer");
    assert_eq!(missing.status(), 404);
}
