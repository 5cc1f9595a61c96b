//! The refresh token in a cookie: only the page of this system uses it, and no late answer signs anybody out.

use crate::{LOGIN, auth};
use events::Role;
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE},
};
use serde_json::{Value, json};
use test_support::{Stack, User, client::PASSWORD};

/// `PUBLIC_URL` of a development machine with containers.
const PAGE: &str = "http://localhost";
const REFRESH: &str = "/auth/api/v1/refresh";

/// Sends a request as the page does: the cookies that it has, and its origin.
async fn ask(
    stack: &Stack,
    (method, path): (Method, &str),
    cookies: &str,
    body: &Value,
) -> Response {
    let request = Client::new().request(method, stack.client.url(path));
    let request = request
        .header(ORIGIN, PAGE)
        .header(COOKIE, cookies)
        .json(body);
    request.send().await.expect("the service answers")
}

async fn refresh(stack: &Stack, cookies: &str) -> Response {
    let body = json!({"session": "cookie"});
    ask(stack, (Method::POST, REFRESH), cookies, &body).await
}

/// The cookie of this name that a response sets, with its attributes.
fn set_cookie(response: &Response, name: &str) -> Option<String> {
    let cookies = response.headers().get_all(SET_COOKIE).into_iter();
    let mut cookies = cookies.map(|cookie| cookie.to_str().expect("cookies are text").to_owned());
    cookies.find(|cookie| cookie.starts_with(&format!("{name}=")))
}

/// What a browser sends back of the cookie with the refresh token.
fn kept(response: &Response) -> String {
    let cookie = set_cookie(response, "medtrack_refresh").expect("a cookie is set");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

async fn log_in(stack: &Stack, user: &User, remember: bool) -> Response {
    let body = json!({
        "email": user.email, "password": PASSWORD, "session": "cookie", "remember": remember,
    });
    ask(stack, (Method::POST, LOGIN), "", &body).await
}

#[tokio::test]
async fn the_page_gets_its_tokens_in_cookies_that_no_script_reads() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let response = log_in(&stack, &user, false).await;
    let cookie = set_cookie(&response, "medtrack_refresh").unwrap();
    let attributes = "; Path=/auth/api/v1; HttpOnly; SameSite=Strict";
    assert!(cookie.ends_with(attributes), "{cookie}");
    let device = set_cookie(&response, "medtrack_device").unwrap();
    assert!(
        device.ends_with("; SameSite=Strict; Max-Age=34560000"),
        "{device}"
    );
    let kept_at_login = kept(&response);
    let body: Value = response.json().await.unwrap();
    assert!(body["access_token"].is_string(), "{body}");
    assert_eq!(
        (&body["refresh_token"], &body["device"]),
        (&Value::Null, &Value::Null)
    );

    let refreshed = refresh(&stack, &kept_at_login).await;
    assert_eq!(refreshed.status(), StatusCode::OK);
    assert_ne!(kept(&refreshed), kept_at_login);
    let credentials = refreshed.headers().get("access-control-allow-credentials");
    assert_eq!(credentials, None);
    let body: Value = refreshed.json().await.unwrap();
    assert_eq!(body["refresh_token"], Value::Null);
}

#[tokio::test]
async fn a_registration_by_the_page_sets_the_cookies_too() {
    let stack = auth().await;
    let mut body = test_support::client::newcomer(Role::Student);
    body["session"] = json!("cookie");
    let path = test_support::client::REGISTER;
    let response = ask(&stack, (Method::POST, path), "", &body).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert!(set_cookie(&response, "medtrack_device").is_some());
    assert_eq!(
        refresh(&stack, &kept(&response)).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_cookie_counts_for_nothing_without_the_origin_of_the_page() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let cookies = kept(&log_in(&stack, &user, false).await);
    let send = async |path: &str, origin: Option<&str>, content_type: &str, body: &Value| {
        let mut request = Client::new().post(stack.client.url(path));
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        let request = request
            .header(COOKIE, &cookies)
            .header(CONTENT_TYPE, content_type);
        let response = request.body(body.to_string()).send().await.unwrap();
        assert_eq!(set_cookie(&response, "medtrack_refresh"), None);
        response.status().as_u16()
    };
    let json = "application/json";
    let login = json!({"email": user.email, "password": PASSWORD, "session": "cookie"});
    for origin in [
        None,
        Some("null"),
        Some("http://localhost:3000"),
        Some("https://localhost"),
    ] {
        for (path, body) in [(REFRESH, &json!({"session": "cookie"})), (LOGIN, &login)] {
            assert_eq!(
                send(path, origin, json, body).await,
                403,
                "{path} {origin:?}"
            );
        }
    }
    // What a form of another site can send.
    let form = send(
        REFRESH,
        Some(PAGE),
        "text/plain",
        &json!({"session": "cookie"}),
    )
    .await;
    assert!((400..500).contains(&form), "{form}");
    // Nobody says that the token is in the cookie.
    assert_eq!(send(REFRESH, Some(PAGE), json, &json!({})).await, 400);
    assert_eq!(refresh(&stack, &cookies).await.status(), StatusCode::OK);
    assert_eq!(refresh(&stack, "").await.status(), StatusCode::UNAUTHORIZED);
}

/// Two tabs and a reload on a slow network: the answer to the oldest request arrives last.
#[tokio::test]
async fn the_latest_answer_holds_the_present_token_whichever_request_it_answers() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let first = kept(&log_in(&stack, &user, false).await);
    let second = kept(&refresh(&stack, &first).await);
    let third = kept(&refresh(&stack, &second).await);
    let late = refresh(&stack, &first).await;
    assert_eq!(kept(&late), third);
    // The two older tokens are used up; the one that the browser has is not.
    let age = "update users_used_refresh_token set used_at = used_at - interval '31 seconds'";
    stack.auth.run(age).await;
    assert_eq!(refresh(&stack, &third).await.status(), StatusCode::OK);
    assert_eq!(
        refresh(&stack, &first).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_session_that_is_remembered_outlives_the_browser_and_a_change_of_the_password() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let is_remembered = |response: &Response| {
        let cookie = set_cookie(response, "medtrack_refresh").unwrap();
        cookie.ends_with("; Max-Age=2592000")
    };
    let response = log_in(&stack, &user, true).await;
    assert!(is_remembered(&response));
    let refreshed = refresh(&stack, &kept(&response)).await;
    assert!(is_remembered(&refreshed));
    let cookies = kept(&refreshed);
    let token: Value = refreshed.json().await.unwrap();
    let change =
        json!({"current_password": PASSWORD, "new_password": "another long password of mine"});
    let url = stack.client.url("/auth/api/v1/users/me/change-password");
    let request = Client::new()
        .post(url)
        .header(ORIGIN, PAGE)
        .header(COOKIE, &cookies);
    let request = request.bearer_auth(token["access_token"].as_str().unwrap());
    let changed = request.json(&change).send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::OK);
    assert!(is_remembered(&changed));
    assert_eq!(
        refresh(&stack, &kept(&changed)).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_end_of_the_session_clears_the_cookie() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    for (method, path) in [
        (Method::POST, "/auth/api/v1/logout"),
        (Method::DELETE, "/auth/api/v1/sessions"),
    ] {
        let response = log_in(&stack, &user, false).await;
        let cookies = kept(&response);
        let token: Value = response.json().await.unwrap();
        let request = Client::new().request(method, stack.client.url(path));
        let request = request
            .header(ORIGIN, PAGE)
            .header(COOKIE, &cookies)
            .json(&json!({}));
        let request = request.bearer_auth(token["access_token"].as_str().unwrap());
        let ended = request.send().await.unwrap();
        assert_eq!(ended.status(), StatusCode::NO_CONTENT);
        let cookie = set_cookie(&ended, "medtrack_refresh").unwrap();
        assert!(
            cookie.starts_with("medtrack_refresh=;") && cookie.ends_with("Max-Age=0"),
            "{cookie}"
        );
        assert_eq!(
            refresh(&stack, &cookies).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
}
