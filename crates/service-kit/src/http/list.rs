//! Lists: the search, the filters, the order and the page that a request asks for, and the response.
//!
//! Unknown parameters are ignored, because the old front end sends some; a known one with a bad value is refused.

mod parameter;

pub use parameter::parameter;

use super::{
    Common, Problem,
    body::{FromObject, Object, Text, one_of, text_schema},
};
use axum::{
    Json,
    extract::{FromRequestParts, Query},
    http::{HeaderValue, Uri, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Array, ArrayBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Type, schema::Schema},
};

/// The most rows of a page, and of a list without pages.
const MAX_ROWS: i64 = 100;
/// The rows of a page when the request names no number.
const ROWS: i64 = 20;
/// The highest number of a page.
const MAX_PAGE: i64 = 1_000_000;

/// The query of a list.
#[derive(Debug)]
pub struct ListQuery<Q> {
    /// The parameters that only this list has.
    pub own: Q,
    /// The page.
    pub paging: Paging,
}

/// Which rows of a list the response has.
#[derive(Debug)]
pub struct Paging {
    page: i64,
    limit: i64,
    paged: bool,
    uri: Uri,
}

/// The rows of a list, as they are written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum List<T> {
    /// Without `page` and `limit`: the first hundred.
    Bare(Vec<T>),
    /// With one of them.
    #[expect(missing_docs, reason = "the schema describes them")]
    Page {
        data: Vec<T>,
        total: i64,
        page: i64,
        per_page: i64,
        total_pages: i64,
    },
}

crate::query! {
    /// The page of a list. Without both, the response is a bare array of the first hundred.
    pub struct PageParameters {
        /// From 1.
        page: PageNumber = "1",
        /// How many rows a page has; 20 when only `page` is given.
        limit: Limit = "20",
    }
}

/// The number of a page.
#[derive(Clone, Copy, Debug)]
pub struct PageNumber(i64);

/// The number of rows of a page.
#[derive(Clone, Copy, Debug)]
pub struct Limit(i64);

/// A text to be found.
#[derive(Clone, Debug)]
pub struct Search(pub String);

/// A filter that is on or off.
#[derive(Clone, Copy, Debug)]
pub struct Flag(pub bool);

/// A closed list of values by their names.
pub trait Choice: Copy + 'static {
    /// Each value with its name.
    const ALL: &'static [(&'static str, Self)];
}

/// One value of a closed list, by its name.
#[derive(Clone, Copy, Debug)]
pub struct OneOf<C>(pub C);

/// The order of a list: the name of a field, with a `-` before it for the reverse order.
#[derive(Clone, Copy, Debug)]
pub struct Sort<C> {
    /// The field.
    pub by: C,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl Paging {
    /// How many rows precede the page.
    pub fn offset(&self) -> i64 {
        (self.page - 1) * self.limit
    }

    /// How many rows the page has at most.
    pub fn limit(&self) -> i64 {
        self.limit
    }

    /// Makes the response of these rows, of `total` in all.
    pub fn respond<T: Serialize>(&self, data: Vec<T>, total: i64) -> Response {
        if self.paged {
            let total_pages = (total + self.limit - 1) / self.limit;
            return Json(List::Page {
                data,
                total,
                page: self.page,
                per_page: self.limit,
                total_pages,
            })
            .into_response();
        }
        let next = (total > self.limit).then(|| self.next());
        let mut response = Json(List::Bare(data)).into_response();
        let headers = response.headers_mut();
        headers.insert("x-total-count", total.into());
        if let Some(next) = next.flatten() {
            headers.insert(header::LINK, next);
        }
        response
    }

    /// The address of the second page, with the other parameters of the request.
    fn next(&self) -> Option<HeaderValue> {
        let query = self.uri.query().unwrap_or_default();
        let others: String = query
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| format!("&{parameter}"))
            .collect();
        let path = self.uri.path();
        let link = format!("<{path}?page=2&limit={}{others}>; rel=\"next\"", self.limit);
        HeaderValue::from_str(&link).ok()
    }
}

impl<S: Send + Sync, Q: FromObject> FromRequestParts<S> for ListQuery<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(parameters) = Query::try_from_uri(&parts.uri).map_err(|_| Common::BadRequest)?;
        let mut object = Object::of_query(parameters);
        let own = Q::from_object(&mut object);
        let asked = PageParameters::from_object(&mut object);
        let (own, asked) = object.into_parameters(own.zip(asked))?;
        let paged = asked.page.is_some() || asked.limit.is_some();
        let rows = if paged { ROWS } else { MAX_ROWS };
        let paging = Paging {
            page: asked.page.map_or(1, |page| page.0),
            limit: asked.limit.map_or(rows, |limit| limit.0),
            paged,
            uri: parts.uri.clone(),
        };
        Ok(Self { own, paging })
    }
}

impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let rows = || Array::new(Ref::from_schema_name(T::name()));
        let bare = ArrayBuilder::from(rows());
        let bare = bare.description(Some("Without `page` and `limit`: the first hundred."));
        let mut page = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("With one of them."))
            .property("data", rows())
            .required("data");
        for (name, about) in [
            ("total", "How many there are on all pages."),
            ("page", "This page's number, from 1."),
            ("per_page", "How many a page has."),
            ("total_pages", "How many pages there are."),
        ] {
            let number = ObjectBuilder::new().schema_type(Type::Integer);
            page = page
                .property(name, number.description(Some(about)))
                .required(name);
        }
        OneOfBuilder::new().item(bare).item(page).into()
    }
}

impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

fn whole_number(text: &str, most: i64) -> Result<i64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("Must be a number from 1 to {most}."))
}

fn whole_number_schema(most: i64) -> ObjectBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::Integer);
    schema.minimum(Some(1)).maximum(Some(most))
}

impl Text for PageNumber {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        whole_number(text, MAX_PAGE).map(Self)
    }

    fn schema() -> ObjectBuilder {
        whole_number_schema(MAX_PAGE)
    }
}

impl Text for Limit {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        whole_number(text, MAX_ROWS).map(Self)
    }

    fn schema() -> ObjectBuilder {
        whole_number_schema(MAX_ROWS)
    }
}

impl Search {
    /// The most characters of a search.
    const MAX_LENGTH: usize = 200;
}

impl Text for Search {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(format!("Use at most {} characters.", Self::MAX_LENGTH));
        }
        Ok(Self(text.trim().to_owned()))
    }

    fn schema() -> ObjectBuilder {
        text_schema().max_length(Some(Self::MAX_LENGTH))
    }
}

impl Text for Flag {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "true" | "1" => Ok(Self(true)),
            "false" | "0" => Ok(Self(false)),
            _ => Err("Must be true or false."),
        }
    }

    fn schema() -> ObjectBuilder {
        ObjectBuilder::new().schema_type(Type::Boolean)
    }
}

fn names<C: Choice>() -> Vec<&'static str> {
    C::ALL.iter().map(|(name, _)| *name).collect()
}

fn choice<C: Choice>(text: &str) -> Option<C> {
    let known = C::ALL.iter().find(|(name, _)| *name == text);
    known.map(|(_, value)| *value)
}

impl<C: Choice + PartialEq> OneOf<C> {
    /// The name of the value.
    pub fn name(self) -> &'static str {
        let known = C::ALL.iter().find(|(_, value)| *value == self.0);
        known.map_or("", |(name, _)| name)
    }
}

impl<C: Choice> Text for OneOf<C> {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        let refusal = || format!("Use one of: {}.", names::<C>().join(", "));
        choice(text).map(Self).ok_or_else(refusal)
    }

    fn schema() -> ObjectBuilder {
        one_of(names::<C>())
    }
}

impl<C: Choice> Text for Sort<C> {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let by = choice(name).ok_or_else(|| {
            let names = names::<C>().join(", ");
            format!("Use one of: {names}; with a - before it for the reverse order.")
        })?;
        Ok(Self { by, descending })
    }

    fn schema() -> ObjectBuilder {
        let names = names::<C>().into_iter();
        one_of(names.flat_map(|name| [name.to_owned(), format!("-{name}")]))
    }
}

/// Defines the struct of a query: each parameter with its type, which implements [`Text`], and an example. Every
/// parameter may be absent; an empty one counts as absent.
#[macro_export]
macro_rules! query {
    (
        $(#[doc = $about:literal])*
        $visibility:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* $field:ident: $type:ty = $example:literal, )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        $visibility struct $name {
            $( $(#[doc = $doc])* pub(super) $field: Option<$type>, )*
        }

        impl $crate::http::body::FromObject for $name {
            fn from_object(object: &mut $crate::http::body::Object) -> Option<Self> {
                $( let $field = object.read::<Option<$type>>(
                    stringify!($field).trim_start_matches("r#")
                ); )*
                Some(Self { $( $field: $field?, )* })
            }
        }

        impl utoipa::IntoParams for $name {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                use $crate::http::list::parameter;
                vec![$( parameter::<$type>(
                    stringify!($field).trim_start_matches("r#"), &[$($doc),*], $example
                ), )*]
            }
        }
    };
}

#[cfg(test)]
mod tests;
