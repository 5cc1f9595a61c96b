//! The refresh token in a cookie, for the page that the gateway serves: no script can read it there.
//!
//! A request that sets, sends or clears the cookie comes from that page: its `Origin` is that of `PUBLIC_URL`, and it is
//! JSON, which a page of another site cannot send without asking first.

use super::errors::Error;
use crate::domain::RefreshToken;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::AppendHeaders,
};
use service_kit::http::{
    Problem,
    body::{Text, one_of},
};
use std::sync::Arc;
use utoipa::openapi::ObjectBuilder;

/// How long a browser keeps the cookie of a session that is remembered, in seconds: as long as a session lives.
const REMEMBERED: u32 = 30 * 24 * 3600;
/// How long a browser keeps the token of a device, in seconds: no browser keeps a cookie longer.
const DEVICE: u32 = 400 * 24 * 3600;

/// Where a client wants its refresh token: `cookie`.
#[derive(Clone, Copy, Debug)]
pub(super) struct InCookie;

impl Text for InCookie {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "cookie" => Ok(Self),
            _ => Err("Unknown place; write cookie, or leave the field out."),
        }
    }

    fn schema() -> ObjectBuilder {
        one_of(["cookie"])
    }
}

/// A session has ended, and with it the cookie that held its refresh token.
pub(super) type Ended = (StatusCode, AppendHeaders<Option<(HeaderName, HeaderValue)>>);

/// The cookies of the page.
#[derive(Clone)]
pub(super) struct Cookies {
    origin: Arc<str>,
    is_secure: bool,
}

impl Cookies {
    /// `public_url` is the address of the page: scheme, host, and a port that is not the scheme's own.
    pub(super) fn new(public_url: &str) -> Self {
        Self {
            origin: same_host(public_url).into(),
            is_secure: public_url.starts_with("https://"),
        }
    }

    /// Whether a request comes from the page.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let origin = text(headers, &header::ORIGIN).unwrap_or_default();
        let content_type = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is_json = media_type.eq_ignore_ascii_case("application/json");
        if is_json && same_host(origin) == *self.origin {
            return Ok(());
        }
        Err(Error::OriginNotAllowed.into())
    }

    /// Whether a client wants its tokens in cookies.
    ///
    /// # Errors
    /// When it is not the page.
    pub(super) fn are_wanted(
        &self,
        session: Option<InCookie>,
        headers: &HeaderMap,
    ) -> Result<bool, Problem> {
        if session.is_none() {
            return Ok(false);
        }
        self.check_origin(headers).map(|()| true)
    }

    /// Whether the page sends this request with the cookie of its session. Without its `Origin`, a cookie counts for
    /// nothing.
    pub(super) fn is_from_page(&self, headers: &HeaderMap) -> bool {
        self.check_origin(headers).is_ok() && self.value(headers, "refresh").is_some()
    }

    /// The refresh token of the cookie.
    ///
    /// # Errors
    /// When there is none, or the request does not come from the page.
    pub(super) fn refresh_token(&self, headers: &HeaderMap) -> Result<RefreshToken, Problem> {
        self.check_origin(headers)?;
        let value = self.value(headers, "refresh");
        let token = value.and_then(RefreshToken::parse);
        Ok(token.ok_or(Error::InvalidRefreshToken)?)
    }

    /// The token of the device.
    pub(super) fn device<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        self.value(headers, "device")
    }

    /// The header that stores a refresh token, until the browser ends or, where the session is remembered, as long as it
    /// lives.
    pub(super) fn store_refresh(&self, token: &RefreshToken, is_remembered: bool) -> HeaderValue {
        self.header(
            "refresh",
            &token.to_text(),
            is_remembered.then_some(REMEMBERED),
        )
    }

    /// The header that stores the token of a device.
    pub(super) fn store_device(&self, token: &str) -> HeaderValue {
        self.header("device", token, Some(DEVICE))
    }

    /// The response to a request that ends the session: where the page has a cookie, it goes.
    pub(super) fn end(&self, headers: &HeaderMap) -> Ended {
        let cleared = self.is_from_page(headers).then(|| self.clear_refresh());
        let headers = cleared.map(|value| (header::SET_COOKIE, value));
        (StatusCode::NO_CONTENT, AppendHeaders(headers))
    }

    fn clear_refresh(&self) -> HeaderValue {
        self.header("refresh", "", Some(0))
    }

    fn header(&self, name: &str, value: &str, max_age: Option<u32>) -> HeaderValue {
        let name = self.name(name);
        let mut text = format!("{name}={value}; Path=/auth/api/v1; HttpOnly; SameSite=Strict");
        if self.is_secure {
            text += "; Secure";
        }
        if let Some(seconds) = max_age {
            text += &format!("; Max-Age={seconds}");
        }
        HeaderValue::try_from(text).expect("tokens are base64url")
    }

    /// A browser takes a cookie of the first name from a secure page only.
    fn name(&self, name: &str) -> String {
        let prefix = if self.is_secure { "__Secure-" } else { "" };
        format!("{prefix}medtrack_{name}")
    }

    fn value<'a>(&self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        let name = self.name(name);
        let lines = headers.get_all(header::COOKIE).into_iter();
        let cookies = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let mut values = cookies.filter_map(|cookie| {
            let (key, value) = cookie.trim().split_once('=')?;
            (key == name).then_some(value)
        });
        values.next()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// An origin, in which `localhost` stands for this machine's address, too.
fn same_host(origin: &str) -> String {
    let Some((scheme, host)) = origin.split_once("://") else {
        return origin.to_owned();
    };
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let name = if name == "127.0.0.1" {
        "localhost"
    } else {
        name
    };
    match (scheme, port) {
        (_, "") | ("http", "80") | ("https", "443") => format!("{scheme}://{name}"),
        _ => format!("{scheme}://{name}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str, content_type: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        headers
    }

    #[test]
    fn only_the_page_itself_uses_the_cookie_and_only_with_json() {
        let page = Cookies::new("http://localhost:8080");
        let may = |origin: &str| page.check_origin(&from(origin, "application/json")).is_ok();
        assert!(may("http://localhost:8080") && may("http://127.0.0.1:8080"));
        for origin in [
            "http://localhost",
            "http://localhost:3000",
            "https://localhost:8080",
            "http://localhost.example:8080",
            "http://localhost:8080.example",
            "null",
            "",
        ] {
            assert!(!may(origin), "{origin}");
        }
        let form = from("http://localhost:8080", "application/x-www-form-urlencoded");
        assert!(page.check_origin(&form).is_err());
        let json = from("http://localhost:8080", "application/json; charset=utf-8");
        assert!(page.check_origin(&json).is_ok());
        assert!(page.check_origin(&HeaderMap::new()).is_err());
        let site = Cookies::new("https://medtrack.example:443");
        let headers = from("https://medtrack.example", "application/json");
        assert!(site.check_origin(&headers).is_ok());
    }

    #[test]
    fn a_cookie_is_for_this_path_and_for_no_script() {
        let site = Cookies::new("https://medtrack.example");
        let device = site.store_device("abc");
        assert_eq!(
            device,
            "__Secure-medtrack_device=abc; Path=/auth/api/v1; HttpOnly; SameSite=Strict; Secure; Max-Age=34560000"
        );
        let page = Cookies::new("http://localhost:8080");
        assert_eq!(
            page.clear_refresh(),
            "medtrack_refresh=; Path=/auth/api/v1; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let page = Cookies::new("http://localhost:8080");
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; xmedtrack_device=1".parse().unwrap());
        headers.append(header::COOKIE, "c=d;medtrack_device=2".parse().unwrap());
        assert_eq!(page.device(&headers), Some("2"));
    }
}
