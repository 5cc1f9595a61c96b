//! Holds a service to its OpenAPI document.

use crate::{Account, Client};
use reqwest::{Method, header};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, path::Path};

/// What no request asks for.
const STRANGE: &str = "no_such_field";

/// Compares a service with its document: the committed file is current, the page shows it, what needs a token is
/// refused without one, and bodies are read as they are described.
///
/// # Panics
/// When they differ.
pub async fn assert_described(client: &Client, account: &Account, dir: &str, document: &Value) {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../docs/openapi/{dir}-service.json"));
    let committed: Value = std::fs::read(committed)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    assert!(
        committed == *document,
        "docs/openapi is stale; try: ./medtrack prepare"
    );

    let served = client
        .get(&format!("/{dir}/api/docs/openapi.json"), account)
        .await;
    assert_eq!(served.body, *document);
    assert_page(&client.url(&format!("/{dir}/api/docs"))).await;

    assert_refers(document, document);
    let mut known = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path = path.replace("{id}", &uuid::Uuid::nil().to_string());
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
                assert_body(client, account, &method, &path, schema).await;
            }
            known += 1;
        }
    }
    assert!(known > 0, "something is described");
}

/// What the schema calls required is missed, what it knows is known, what may be null may be, and nothing else is.
async fn assert_body(
    client: &Client,
    account: &Account,
    method: &Method,
    path: &str,
    schema: &Value,
) {
    let body = |value: fn(&Value) -> Value| {
        let properties = schema["properties"].as_object().expect("properties").iter();
        properties
            .map(|(name, property)| (name.clone(), value(property)))
            .collect::<Map<_, _>>()
    };
    let refused = async |mut body: Map<String, Value>| {
        body.insert(STRANGE.into(), true.into());
        let response = client
            .ask(
                method.clone(),
                path,
                Some(&account.token),
                Some(&Value::Object(body)),
            )
            .await;
        let response = response.expect("an answer");
        assert_eq!(response.status, 400, "{method} {path}: {}", response.body);
        let errors = response.body["errors"].as_object().expect("errors");
        errors.keys().cloned().collect::<BTreeSet<_>>()
    };
    let only_strange = BTreeSet::from([STRANGE.to_owned()]);
    let example = |property: &Value| property["examples"][0].clone();
    assert_eq!(
        refused(body(example)).await,
        only_strange,
        "{method} {path}"
    );
    let nothing = |property: &Value| {
        let types = property["type"].as_array();
        let may_be_null = types.is_some_and(|types| types.contains(&Value::from("null")));
        if may_be_null {
            Value::Null
        } else {
            property["examples"][0].clone()
        }
    };
    assert_eq!(
        refused(body(nothing)).await,
        only_strange,
        "{method} {path}, with null"
    );

    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let missed = required
        .iter()
        .map(|name| name.as_str().expect("a name").to_owned());
    let missed: BTreeSet<_> = missed.chain(only_strange).collect();
    assert_eq!(refused(Map::new()).await, missed, "{method} {path}");
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
