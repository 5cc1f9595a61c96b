//! How notifications are shown to the user who asks: in which language, and with which links.

use super::links::Links;
use crate::{domain::Language, store::recipients};
use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use events::UserId;
use service_kit::{
    http::{
        Parameters, Problem,
        list::{Choice, OneOf},
    },
    query,
};
use sqlx::PgConnection;

query! {
    /// In which language a response is.
    pub(super) struct LanguageQuery {
        /// The language of the texts. Without it: that of `Accept-Language`, else the one that the user has chosen, else
        /// English.
        lang: OneOf<Language> = "fr",
    }
}

impl Choice for Language {
    const ALL: &'static [(&'static str, Self)] = &[
        (Self::English.code(), Self::English),
        (Self::French.code(), Self::French),
        (Self::Arabic.code(), Self::Arabic),
    ];
}

/// What a request says about the language, before it is known who asks.
pub(super) struct Viewer {
    language: Option<Language>,
    links: Links,
}

/// How one user sees notifications.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(super) language: Language,
    pub(super) links: Links,
}

impl<S: Send + Sync> FromRequestParts<S> for Viewer
where
    Links: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Parameters::<LanguageQuery>(query) =
            Parameters::from_request_parts(parts, state).await?;
        let headers = parts.headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let headers: Vec<_> = headers.filter_map(|header| header.to_str().ok()).collect();
        let accepted = || Language::accepted(&headers.join(","));
        Ok(Self {
            language: query.lang.map(|lang| lang.0).or_else(accepted),
            links: Links::from_ref(state),
        })
    }
}

impl Viewer {
    /// Returns how this user sees notifications.
    ///
    /// # Errors
    /// Fails with the database's error.
    pub(super) async fn view(
        self,
        connection: &mut PgConnection,
        user_id: UserId,
    ) -> sqlx::Result<View> {
        let language = match self.language {
            Some(language) => language,
            None => recipients::language(connection, user_id)
                .await?
                .unwrap_or_default(),
        };
        Ok(View {
            language,
            links: self.links,
        })
    }
}

impl View {
    /// Makes a response whose texts are in the language of the view.
    pub(super) fn respond(&self, body: impl IntoResponse) -> Response {
        let mut response = body.into_response();
        let headers = response.headers_mut();
        let language = HeaderValue::from_static(self.language.code());
        headers.insert(header::CONTENT_LANGUAGE, language);
        let vary = HeaderValue::from_static("accept-language");
        headers.append(header::VARY, vary);
        response
    }
}
