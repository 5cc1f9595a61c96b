//! `http/medtrack.http`, run request by request.

use reqwest::Method;
use serde_json::Value;
use std::{collections::HashMap, time::Duration};
use test_support::{Stack, client::Answer, eventually};

const SOON: Duration = Duration::from_secs(10);

/// A request of the file, its variables not yet filled in.
#[derive(Debug, Default)]
struct Request {
    title: String,
    name: Option<String>,
    status: u16,
    /// What the answer's body has in it.
    text: String,
    method: String,
    url: String,
    token: Option<String>,
    body: String,
}

fn parse(section: &str) -> Request {
    let mut lines = section.lines();
    let mut request = Request {
        title: lines.next().unwrap_or_default().trim().into(),
        ..Default::default()
    };
    for line in lines.by_ref() {
        if let Some(name) = line.strip_prefix("# @name ") {
            request.name = Some(name.into());
        } else if let Some(expected) = line.strip_prefix("# expect ") {
            let (status, text) = expected.split_once(' ').unwrap_or((expected, ""));
            request.status = status.parse().expect("a status");
            request.text = text.into();
        } else if let Some(token) = line.strip_prefix("Authorization: Bearer ") {
            request.token = Some(token.into());
        } else if let Some((method, url)) =
            line.split_once(' ').filter(|_| request.method.is_empty())
        {
            (request.method, request.url) = (method.into(), url.into());
        } else if line.is_empty() && !request.method.is_empty() {
            break;
        }
    }
    request.body = lines.collect::<Vec<_>>().join("\n");
    request
}

/// Fills in `{{name}}` and `{{name.response.body.field}}`.
fn fill(
    text: &str,
    variables: &HashMap<String, String>,
    answers: &HashMap<String, Value>,
) -> String {
    let mut parts = text.split("{{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("braces are closed");
        let value = match name.split_once(".response.body.") {
            Some((response, field)) => answers[response][field]
                .as_str()
                .expect("the field is a text")
                .to_owned(),
            None => variables[name].clone(),
        };
        filled += &value;
        filled += rest;
    }
    filled
}

#[tokio::test]
async fn the_walk_works_as_written() {
    let _turn = crate::beside_others().await;
    let file = include_str!("../../http/medtrack.http");
    let (head, requests) = file.split_once("\n### ").expect("the file has requests");
    let variables: HashMap<String, String> = head
        .lines()
        .filter_map(|line| line.strip_prefix('@')?.split_once(" = "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let stack = Stack::start().await;
    // A second time on the same system: the walk deletes its user at the end.
    for _ in 0..2 {
        walk(&stack, &variables, requests).await;
    }
}

async fn walk(stack: &Stack, variables: &HashMap<String, String>, requests: &str) {
    let mut answers = HashMap::new();
    for request in requests.split("\n### ").map(parse) {
        let filled = |text: &str| fill(text, variables, &answers);
        let path = filled(&request.url).replacen(&variables["gateway"], "", 1);
        let token = request.token.as_deref().map(filled);
        let body: Option<Value> = (!request.body.trim().is_empty())
            .then(|| serde_json::from_str(&filled(&request.body)).expect("the body is JSON"));
        let ask = async || -> Answer {
            let method: Method = request.method.parse().expect("a method");
            stack
                .client
                .ask(method, &path, token.as_deref(), body.as_ref())
                .await
                .expect("an answer")
        };
        let as_expected = |response: &Answer| {
            response.status == request.status && response.body.to_string().contains(&request.text)
        };
        // What follows by event takes a moment, so a request that only reads is repeated.
        let asks_only = request.method == "GET" || path.ends_with("/login");
        let response = if asks_only {
            eventually(SOON, &request.title, async || {
                Some(ask().await).filter(as_expected)
            })
            .await
        } else {
            ask().await
        };
        assert!(
            as_expected(&response),
            "{}: {} {}",
            request.title,
            response.status,
            response.body
        );
        if let Some(name) = request.name {
            answers.insert(name, response.body);
        }
    }
    assert_eq!(answers.len(), 2);
}
