//! The parameters of the lists.

use super::{errors::gone, fields::LAST_YEAR};
use crate::store::search::{Rows, SNAPSHOT};
use service_kit::{
    http::{
        Problem,
        body::{Text, text_schema},
        list::{Choice, Paging, Search, Sort},
    },
    query,
};
use sqlx::{PgPool, Postgres, Transaction};
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use uuid::Uuid;

query! {
    /// Which students the list has, and in which order; the newest come first.
    pub(super) struct StudentQuery {
        /// A part of the names, of the e-mail or of the student number.
        search: Search = "doe",
        /// In any case.
        university: Search = "University of Algiers",
        /// In any case.
        program: Search = "Medicine",
        year_level: Year = "4",
        sort: Sort<StudentOrder> = "last_name",
    }
}

query! {
    /// Which encadrants the list has, and in which order; the newest come first.
    pub(super) struct EncadrantQuery {
        /// A part of the names, of the e-mail, of the position or of the speciality.
        search: Search = "johnson",
        establishment: Id = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        service: Id = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3e",
        /// In any case.
        speciality: Search = "Cardiology",
        sort: Sort<EncadrantOrder> = "last_name",
    }
}

query! {
    /// Which establishments the list has, and in which order; the newest come first.
    pub(super) struct EstablishmentQuery {
        /// A part of the name, of the code, of the type, of the wilaya or of the city.
        search: Search = "mustapha",
        /// In any case.
        r#type: Search = "CHU",
        /// In any case.
        wilaya: Search = "Alger",
        /// In any case.
        city: Search = "Sidi M'Hamed",
        sort: Sort<EstablishmentOrder> = "name",
    }
}

query! {
    /// Which hospital services the list has, and in which order; the newest come first.
    pub(super) struct ServiceQuery {
        /// A part of the name, or of the name of the establishment.
        search: Search = "cardio",
        establishment_id: Id = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// The same as `establishment_id`.
        establishment: Id = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        sort: Sort<ServiceOrder> = "name",
    }
}

/// A column that orders students, by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StudentOrder(&'static str);

/// A column that orders encadrants, by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EncadrantOrder(&'static str);

/// A column that orders establishments, by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EstablishmentOrder(&'static str);

/// A column that orders hospital services, by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ServiceOrder(&'static str);

impl Choice for StudentOrder {
    const ALL: &'static [(&'static str, Self)] = &[
        ("last_name", Self("last_name")),
        ("first_name", Self("first_name")),
        ("email", Self("email")),
        ("student_number", Self("student_number")),
        ("university", Self("university")),
        ("program", Self("program")),
        ("year_level", Self("year_level")),
        ("created_at", Self("created_at")),
    ];
}

impl Choice for EncadrantOrder {
    const ALL: &'static [(&'static str, Self)] = &[
        ("last_name", Self("last_name")),
        ("first_name", Self("first_name")),
        ("email", Self("email")),
        ("speciality", Self("speciality")),
        ("position", Self("position")),
        ("created_at", Self("created_at")),
    ];
}

impl Choice for EstablishmentOrder {
    const ALL: &'static [(&'static str, Self)] = &[
        ("name", Self("name")),
        ("code", Self("code")),
        ("type", Self("type")),
        ("wilaya", Self("wilaya")),
        ("city", Self("city")),
        ("created_at", Self("created_at")),
    ];
}

impl Choice for ServiceOrder {
    const ALL: &'static [(&'static str, Self)] = &[
        ("name", Self("name")),
        ("establishment", Self("establishment")),
        ("capacity", Self("capacity")),
        ("created_at", Self("created_at")),
    ];
}

/// A year of study.
#[derive(Clone, Copy, Debug)]
pub(super) struct Year(pub(super) i32);

/// The id of another object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id(pub(super) Uuid);

impl Text for Year {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        let year = text.parse().ok();
        let year = year.filter(|year| (1..=LAST_YEAR).contains(year));
        year.map(Self)
            .ok_or_else(|| format!("Must be a number from 1 to {LAST_YEAR}."))
    }

    fn schema() -> ObjectBuilder {
        let schema = ObjectBuilder::new().schema_type(Type::Integer);
        schema.minimum(Some(1)).maximum(Some(LAST_YEAR))
    }
}

impl Text for Id {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse().map(Self).map_err(|_| "Must be a UUID.")
    }

    fn schema() -> ObjectBuilder {
        text_schema().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
    }
}

/// The rows of a page in the order that a request asks for; the newest first when it asks for none.
pub(super) fn rows(paging: &Paging, order: Option<(&'static str, bool)>) -> Rows {
    let (by, descending) = order.unwrap_or(("created_at", true));
    Rows {
        by,
        descending,
        offset: paging.offset(),
        limit: paging.limit(),
    }
}

pub(super) fn student_order(sort: Option<Sort<StudentOrder>>) -> Option<(&'static str, bool)> {
    sort.map(|sort| (sort.by.0, sort.descending))
}

pub(super) fn encadrant_order(sort: Option<Sort<EncadrantOrder>>) -> Option<(&'static str, bool)> {
    sort.map(|sort| (sort.by.0, sort.descending))
}

pub(super) fn establishment_order(
    sort: Option<Sort<EstablishmentOrder>>,
) -> Option<(&'static str, bool)> {
    sort.map(|sort| (sort.by.0, sort.descending))
}

pub(super) fn service_order(sort: Option<Sort<ServiceOrder>>) -> Option<(&'static str, bool)> {
    sort.map(|sort| (sort.by.0, sort.descending))
}

/// Begins a transaction that reads a page and its total from one state of the database.
pub(super) async fn snapshot(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with(SNAPSHOT).await
}

/// The id in a path: a text that is none names nothing.
pub(super) fn id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| gone())
}
