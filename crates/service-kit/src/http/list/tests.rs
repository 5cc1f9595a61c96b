use super::*;
use axum::http::Request;
use serde_json::{Value, json};
use utoipa::IntoParams as _;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    Name,
    Age,
}

impl Choice for Column {
    const ALL: &'static [(&'static str, Self)] = &[("name", Self::Name), ("age", Self::Age)];
}

crate::query! {
    /// Of a test.
    struct Own {
        search: Search = "x",
        /// Only these.
        unread: Flag = "true",
        sort: Sort<Column> = "-age",
    }
}

async fn read(uri: &str) -> Result<ListQuery<Own>, Problem> {
    let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
    ListQuery::from_request_parts(&mut parts, &()).await
}

#[tokio::test]
async fn known_parameters_are_read_and_unknown_ones_ignored() {
    let query = read("/x?search=a%20b&unread=1&sort=-age&promotion=a&promotion=b&limit=&page=3")
        .await
        .unwrap();
    assert_eq!(query.own.search.unwrap().0, "a b");
    assert!(query.own.unread.unwrap().0);
    let sort = query.own.sort.unwrap();
    assert_eq!((sort.by, sort.descending), (Column::Age, true));
    assert_eq!((query.paging.offset(), query.paging.limit()), (40, 20));
}

#[tokio::test]
async fn everything_wrong_with_the_known_parameters_is_told_at_once() {
    let problem = read("/x?unread=maybe&sort=size&page=0&limit=101&search=a&search=b")
        .await
        .unwrap_err();
    let errors = problem.into_errors();
    let fields: Vec<&str> = errors.keys().map(String::as_str).collect();
    assert_eq!(fields, ["limit", "page", "search", "sort", "unread"]);
}

#[tokio::test]
async fn a_list_without_pages_links_to_its_second_page_with_the_same_filters() {
    let paging = read("/x?sort=name").await.unwrap().paging;
    let response = paging.respond(vec![1, 2], 300);
    assert_eq!(response.headers()["x-total-count"], "300");
    let link = &response.headers()["link"];
    assert_eq!(link, "</x?page=2&limit=100&sort=name>; rel=\"next\"");
    let last = paging.respond(vec![1, 2], 2);
    assert!(!last.headers().contains_key("link"));
}

#[test]
fn the_parameters_are_described_with_their_limits() {
    let described: Value = serde_json::to_value(Own::into_params(|| None)).unwrap();
    assert_eq!(described[1]["description"], "Only these.");
    // An empty parameter counts as absent.
    let orders = json!(["name", "-name", "age", "-age", ""]);
    assert_eq!(described[2]["schema"]["enum"], orders);
    let page = serde_json::to_value(PageParameters::into_params(|| None)).unwrap();
    assert_eq!(
        (&page[1]["schema"]["maximum"], &page[1]["example"]),
        (&json!(100), &json!(20))
    );
}
